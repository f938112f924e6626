"""Triton Python-backend model: texts to token ids for an encoder on a GPU, the first step of an ensemble.

The rows of a request are padded to one of a few lengths, so that the encoder's requests have equal shapes: only such
are joined into one execution. Runs inside the server's stub process, so it imports nothing of this project but the
file beside it.
"""

import json
import sys
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

sys.path.append(str(Path(__file__).parent))

from texts import decoded, open_tokenizer


class TritonPythonModel:
    """TEXT, BYTES [N, 1] → input_ids and attention_mask, INT64 [N, L]."""

    def initialize(self, args):
        config = json.loads(args["model_config"])
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        folder = Path(args["model_repository"]) / args["model_version"]
        self.lengths = [int(length) for length in parameters["lengths"].split(",")]
        self.pad_token_id = int(parameters["pad_token_id"])
        self.tokenizer = open_tokenizer(folder, self.lengths[-1])

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        values = pb_utils.get_input_tensor_by_name(request, "TEXT").as_numpy().reshape(-1)
        try:
            ids, mask = self.tokens([decoded(value, row) for row, value in enumerate(values)])
        except ValueError as error:
            return failed(str(error), "INVALID_ARG")
        except Exception as error:  # noqa: BLE001 — one bad request must not end the server
            return failed(f"cannot tokenise: {error}")
        return pb_utils.InferenceResponse([pb_utils.Tensor("input_ids", ids), pb_utils.Tensor("attention_mask", mask)])

    def tokens(self, texts):
        """Token ids and mask ``[N, L]``; L is the smallest of the lengths that holds all rows."""
        rows = [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts)]
        longest = max(map(len, rows), default=0)
        length = next(length for length in self.lengths if length >= longest)
        ids = np.full((len(rows), length), self.pad_token_id, np.int64)
        mask = np.zeros((len(rows), length), np.int64)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        return ids, mask


def failed(message, code="INTERNAL"):
    """An error response; ``code`` is the name of one of the server's error codes."""
    # The server adds these classes to pb_utils only after this module is loaded.
    error = pb_utils.TritonError(message, getattr(pb_utils.TritonError, code))
    return pb_utils.InferenceResponse(error=error)
