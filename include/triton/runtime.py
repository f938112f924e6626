"""Which runtime a model gets on a CPU: by rule, not by the clock, since the fingerprint of all vectors follows."""

from __future__ import annotations

from pathlib import Path

from include.triton.config_pbtxt import Precision, Runtime

PRECISION: dict[Runtime, Precision] = {"openvino": "bf16", "onnxruntime": "fp32"}


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """The instruction sets of this machine's CPU; empty where the file is not there."""
    if not cpuinfo.is_file():
        return frozenset()
    for line in cpuinfo.read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def choose_runtime(flags: frozenset[str]) -> Runtime:
    """OpenVINO in bfloat16 where the CPU multiplies bfloat16 tiles (AMX), else ONNX Runtime in float32.

    With AMX OpenVINO is about three times as fast as ONNX Runtime. With AVX512-BF16 alone bfloat16 is slower than
    float32 (390 against 620 texts/s on 2 cores), and in float32 the two runtimes are equal.
    """
    return "openvino" if {"amx_bf16", "amx_tile"} <= flags else "onnxruntime"
