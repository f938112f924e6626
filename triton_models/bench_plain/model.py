"""The plain model that benchmarks compare with: each request padded as it comes, default threads. Never deployed."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils
from tokenizers import Tokenizer


class TritonPythonModel:
    """TEXT, BYTES [N, 1] → EMBEDDING, FP32 [N, D]."""

    def initialize(self, args):
        config = json.loads(args["model_config"])
        folder = Path(args["model_repository"]) / args["model_version"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(int(config["parameters"]["max_length"]["string_value"]))
        self.tokenizer.enable_padding()
        path = str(folder / "model.onnx")
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        values = pb_utils.get_input_tensor_by_name(request, "TEXT").as_numpy().reshape(-1)
        encodings = self.tokenizer.encode_batch([value.decode("utf-8") for value in values])
        ids = np.array([encoding.ids for encoding in encodings], np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
        vectors = self.session.run(["sentence_embedding"], {"input_ids": ids, "attention_mask": mask})[0]
        return pb_utils.InferenceResponse([pb_utils.Tensor("EMBEDDING", vectors)])
