"""Stands in for the onnxruntime backend in a server that has none: the graph beside it, on the CPU."""

from pathlib import Path

import onnxruntime
import triton_python_backend_utils as pb_utils

NAMES = ["input_ids", "attention_mask"]


class TritonPythonModel:
    def initialize(self, args):
        path = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        feed = {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in NAMES}
        vectors = self.session.run(["sentence_embedding"], feed)[0]
        return pb_utils.InferenceResponse([pb_utils.Tensor("sentence_embedding", vectors)])
