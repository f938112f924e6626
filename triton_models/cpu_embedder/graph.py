"""The exported graph on one thread of this instance: by ONNX Runtime as the file is, or by OpenVINO in bfloat16.

Attention takes memory by the square of a text's length: 8,192 tokens and 12 heads some 12 GB by ONNX Runtime. Hence the
instances of a version take turns with long texts, and give the memory back, which both runtimes would keep.
"""

import fcntl
from contextlib import contextmanager, suppress
from pathlib import Path

LONG = 1024  # tokens of a text
SHORT = 512  # tokens of the longest text of a model


def is_long(feed):
    """Whether the texts of this run are long."""
    return "input_ids" in feed and feed["input_ids"].shape[1] > LONG


@contextmanager
def turn(file):
    """Hold the lock on ``file`` against the other instances, where its file system has locks."""
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)


class OnnxRuntime:
    """The graph in the precision of its file: float32, float16 weights, or 8-bit integers."""

    def __init__(self, path, precision, _most_tokens):
        import onnxruntime  # noqa: PLC0415 — only the runtime in use takes memory

        if precision not in ("fp32", "fp16", "int8"):
            raise ValueError(f"runtime onnxruntime serves fp32, fp16 or int8, not {precision}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # A spinning thread takes the core from the other instance.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self.session.get_outputs()]
        self.releasing = onnxruntime.RunOptions()
        self.releasing.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        self.file = open(path, "rb")  # noqa: SIM115, PTH123 — as long as the instance lives

    def run(self, feed):
        """Outputs by name."""
        if not is_long(feed):
            return self.named(self.session.run(self.outputs, feed))
        with turn(self.file):
            return self.named(self.session.run(self.outputs, feed, self.releasing))

    def named(self, values):
        """Outputs by name."""
        return dict(zip(self.outputs, values, strict=True))


class OpenVino:
    """The graph in bfloat16."""

    def __init__(self, path, precision, most_tokens):
        import openvino  # noqa: PLC0415

        if precision != "bf16":
            raise ValueError(f"runtime openvino serves bf16, not {precision}")
        options = openvino_options(precision, most_tokens, tiles=has_tiles())
        self.compiled = openvino.Core().compile_model(path, "CPU", options)
        # The fingerprint of every vector says this precision: refuse to start rather than serve another one.
        actual = self.compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if actual != precision:
            raise ValueError(
                f"this CPU runs the model in {actual}, not in {precision}: deploy it with runtime=onnxruntime"
            )
        self.request = self.compiled.create_infer_request()
        self.outputs = {output.get_any_name(): output for output in self.compiled.outputs}
        self.file = open(path, "rb")  # noqa: SIM115, PTH123 — as long as the instance lives

    def run(self, feed):
        """Outputs by name."""
        if not is_long(feed):
            return self.infer(feed)
        with turn(self.file):
            outputs = self.infer(feed)
            self.compiled.release_memory()
        return outputs

    def infer(self, feed):
        """Outputs by name."""
        answer = self.request.infer(feed)
        return {name: answer[output] for name, output in self.outputs.items()}


def openvino_options(precision, most_tokens, *, tiles):
    """How a graph for texts of ``most_tokens`` (0: it is for none) is compiled; ``tiles``: the CPU has AMX.

    With AMX the single operators of attention take half the time that OpenVINO's fused ones ("snippets") take for names
    of some 18 tokens, which is a sixth of all. For texts of 1,024 tokens and more the fused ones are faster, and need
    less memory.
    """
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": precision,
    }
    return options | {"SNIPPETS_MODE": "DISABLE"} if tiles and 0 < most_tokens <= SHORT else options


def has_tiles(cpuinfo="/proc/cpuinfo"):
    """Whether this CPU has AMX."""
    path = Path(cpuinfo)
    return path.is_file() and "amx_tile" in path.read_text(encoding="utf-8").split()


RUNTIMES = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}


def load(folder, parameters):
    """The graph of one version's folder."""
    runtime = RUNTIMES[parameters["runtime"]]
    return runtime(str(folder / "model.onnx"), parameters["precision"], int(parameters.get("max_length", 0)))
