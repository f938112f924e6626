"""Triton Python-backend model: texts in, sentence vectors out, on a CPU.

Padding and thread switching cost more than Triton itself, so all requests of one ``execute`` are embedded together:
tokenised in one call, sorted by length, cut into small batches of at most ``token_budget`` padded tokens, each run on
one thread of this instance. Runs inside the server's stub process, so it imports nothing of this project.
"""

import json
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils
from tokenizers import Tokenizer


class OnnxRuntime:
    """The graph on ONNX Runtime, in float32."""

    def __init__(self, path, precision):
        import onnxruntime  # noqa: PLC0415 — only the runtime in use takes memory

        if precision != "fp32":
            raise ValueError(f"runtime onnxruntime serves fp32, not {precision}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # A spinning thread takes the core from the other instance.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(self, ids, mask):
        return self.session.run(["sentence_embedding"], {"input_ids": ids, "attention_mask": mask})[0]


class OpenVino:
    """The graph on OpenVINO, in bfloat16 or float32."""

    def __init__(self, path, precision):
        import openvino  # noqa: PLC0415

        wanted = {"bf16": "bf16", "fp32": "f32"}[precision]
        compiled = openvino.Core().compile_model(
            path,
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": 1,
                "NUM_STREAMS": 1,
                "ENABLE_CPU_PINNING": False,
                "INFERENCE_PRECISION_HINT": wanted,
            },
        )
        # The fingerprint of every vector says this precision: refuse to start rather than serve another one.
        actual = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if actual != wanted:
            raise ValueError(
                f"this CPU runs the model in {actual}, not in {wanted}: deploy it with runtime=onnxruntime"
            )
        self.request = compiled.create_infer_request()
        self.output = compiled.output("sentence_embedding")

    def run(self, ids, mask):
        return self.request.infer({"input_ids": ids, "attention_mask": mask})[self.output]


RUNTIMES = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}


class TritonPythonModel:
    """TEXT, BYTES [N, 1] → EMBEDDING, FP32 [N, D]."""

    def initialize(self, args):
        config = json.loads(args["model_config"])
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        folder = Path(args["model_repository"]) / args["model_version"]
        self.dimension = int(parameters["dimension"])
        self.token_budget = int(parameters["token_budget"])
        self.pad_token_id = int(parameters["pad_token_id"])
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(int(parameters["max_length"]))
        runtime = RUNTIMES[parameters["runtime"]]
        self.graph = runtime(str(folder / "model.onnx"), parameters["precision"])

    def execute(self, requests):
        read = [self.read(request) for request in requests]
        texts = [text for part in read if isinstance(part, list) for text in part]
        try:
            vectors = self.embed(texts)
        except Exception as error:  # noqa: BLE001 — one bad execution must not end the server
            return [failed(f"cannot embed: {error}") for _ in requests]
        responses, start = [], 0
        for part in read:
            if isinstance(part, pb_utils.InferenceResponse):
                responses.append(part)
                continue
            output = pb_utils.Tensor("EMBEDDING", vectors[start : start + len(part)])
            responses.append(pb_utils.InferenceResponse([output]))
            start += len(part)
        return responses

    def read(self, request):
        """The texts of one request, or the error response that this request alone gets."""
        values = pb_utils.get_input_tensor_by_name(request, "TEXT").as_numpy().reshape(-1)
        try:
            return [value.decode("utf-8") for value in values]
        except UnicodeDecodeError as error:
            return failed(f"TEXT is not UTF-8: {error}", "INVALID_ARG")

    def embed(self, texts):
        """Vectors [N, D] in the order of the texts."""
        encodings = self.tokenizer.encode_batch_fast(texts)
        lengths = np.fromiter((len(encoding.ids) for encoding in encodings), np.int64, len(encodings))
        order = np.argsort(lengths, kind="stable")
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for rows in batches(order, lengths, self.token_budget):
            width = lengths[rows[-1]]
            ids = np.full((len(rows), width), self.pad_token_id, np.int64)
            mask = np.zeros((len(rows), width), np.int64)
            for line, row in enumerate(rows):
                ids[line, : lengths[row]] = encodings[row].ids
                mask[line, : lengths[row]] = 1
            vectors[rows] = self.graph.run(ids, mask)
        return vectors


def batches(order, lengths, budget):
    """Cut rows, shortest first, where rows × longest row would pass the budget; every batch has one row at least."""
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or lengths[order[end]] * (end + 1 - start) > budget:
            yield order[start:end]
            start = end


def failed(message, code="INTERNAL"):
    """An error response; ``code`` is the name of one of the server's error codes."""
    # The server adds these classes to pb_utils only after this module is loaded.
    error = pb_utils.TritonError(message, getattr(pb_utils.TritonError, code))
    return pb_utils.InferenceResponse(error=error)
