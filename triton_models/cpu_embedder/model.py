"""Triton Python-backend model on a CPU: texts, images or sounds in, vectors out.

All requests of one ``execute`` are embedded together; a request that cannot be read is refused alone. Runs inside the
server's stub process, so it imports nothing of this project but the files beside it.
"""

import json
import sys
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

sys.path.append(str(Path(__file__).parent))


class TritonPythonModel:
    """Inputs and outputs by the kind of the model: see the classes of ``texts.py`` and ``media.py``."""

    def initialize(self, args):
        from graph import load  # noqa: PLC0415 — after the path is set

        config = json.loads(args["model_config"])
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        folder = Path(args["model_repository"]) / args["model_version"]
        parameters["device"] = f"{args['model_instance_kind']}:{args['model_instance_device_id']}".lower()
        self.encoder = encoder_of(parameters)(folder, parameters, load(folder, parameters))
        self.encoder.warm_up()

    def execute(self, requests):
        read = [self.read(request) for request in requests]
        items = [item for part in read if isinstance(part, list) for item in part]
        try:
            outputs = self.encoder.embed(items) if items else {}
        except Exception as error:  # noqa: BLE001 — one bad execution must not end the server
            return [failed(f"cannot embed: {error}") for _ in requests]
        responses, start = [], 0
        for part in read:
            if isinstance(part, list):
                rows = slice(start, start + len(part))
                part = answer({name: values[rows] for name, values in outputs.items()})  # noqa: PLW2901
                start = rows.stop
            responses.append(part)
        return responses

    def read(self, request):
        """The items of one request, or the error response that this request alone gets."""

        def tensor(name):
            found = pb_utils.get_input_tensor_by_name(request, name)
            return None if found is None else found.as_numpy()

        try:
            return self.encoder.read(tensor)
        except ValueError as error:
            return failed(str(error), "INVALID_ARG")
        except Exception as error:  # noqa: BLE001 — it may be any of a decoder's own
            return failed(f"cannot read the request: {type(error).__name__}: {error}")


def encoder_of(parameters):
    """The class that embeds for models of this kind and runtime."""
    kind = parameters["kind"]
    if parameters["runtime"] == "packed":
        from packed_texts import PackedTexts  # noqa: PLC0415 — only what is used takes memory

        return PackedTexts
    if kind in ("clip_image", "image_features"):
        from media import Images  # noqa: PLC0415

        return Images
    if kind == "clap_audio":
        from media import Sounds  # noqa: PLC0415

        return Sounds
    from texts import Texts  # noqa: PLC0415

    return Texts


def answer(outputs):
    """The response of one request, without columns that only texts of other requests need."""
    if "SPARSE_WEIGHTS" in outputs:
        width = max(1, int((outputs["SPARSE_WEIGHTS"] > 0).sum(1).max(initial=0)))
        for name in ("SPARSE_INDICES", "SPARSE_WEIGHTS"):
            outputs[name] = np.ascontiguousarray(outputs[name][:, :width])
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, values) for name, values in outputs.items()])


def failed(message, code="INTERNAL"):
    """An error response; ``code`` is the name of one of the server's error codes."""
    # The server adds these classes to pb_utils only after this module is loaded.
    error = pb_utils.TritonError(message, getattr(pb_utils.TritonError, code))
    return pb_utils.InferenceResponse(error=error)
