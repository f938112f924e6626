"""Which runtime a model gets: by rule, not by the clock, since the fingerprint of all vectors follows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from include.errors import InputError
from include.model_export.manifest import PACKED_WEIGHTS, Manifest
from include.triton.config_pbtxt import Precision, Runtime


@dataclass(frozen=True)
class Cpu:
    """What decides how a CPU computes best."""

    vendor: str = ""  # as in /proc/cpuinfo: GenuineIntel, AuthenticAMD
    flags: frozenset[str] = frozenset()  # instruction sets

    @classmethod
    def present(cls, cpuinfo: Path = Path("/proc/cpuinfo")) -> Self:
        """This machine's; nothing is known where the file is not there."""
        if not cpuinfo.is_file():
            return cls()
        first = cpuinfo.read_text(encoding="utf-8").partition("\n\n")[0]
        values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
        return cls(values.get("vendor_id", ""), frozenset(values.get("flags", "").split()))


def choose_runtime(cpu: Cpu) -> Runtime:
    """OpenVINO in bfloat16 where the CPU gains by it, else ONNX Runtime in float32.

    With AMX OpenVINO is about three times as fast as ONNX Runtime. AVX512-BF16 alone gains on AMD (1,140 against 680
    texts a CPU second) and loses on Intel (390 against 620 texts/s on 2 cores). In float32 the two runtimes are equal.
    """
    has_tiles = {"amx_bf16", "amx_tile"} <= cpu.flags
    has_fast_vectors = cpu.vendor == "AuthenticAMD" and "avx512_bf16" in cpu.flags
    return "openvino" if has_tiles or has_fast_vectors else "onnxruntime"


def served_as(manifest: Manifest, asked: Runtime | None, cpu: Cpu) -> tuple[Runtime, Precision]:
    """The runtime of an export, ``asked`` for or chosen for ``cpu``, and the precision that its vectors have then.

    OpenVINO computes a plain float32 graph in bfloat16. A graph that was exported at less than float32, or fused into
    operators of ONNX Runtime's own, is computed as it is, by ONNX Runtime. On a GPU, which must be asked for, all is
    float16.

    Raises:
        InputError: what is asked for does not serve this export.
    """
    if asked in ("packed", "tensorrt"):
        _check_for_gpu(manifest, asked)
        return asked, "fp16"
    # Histograms are sums of small differences, which bfloat16 loses.
    plain = manifest.precision == "fp32" and not manifest.fused and manifest.kind != "image_features"
    if asked == "openvino" and not plain:
        made = "fused" if manifest.fused else f"exported in {manifest.precision} as {manifest.kind}"
        msg = (
            f"Model {manifest.name} was {made}, which runtime openvino does not serve. "
            "Deploy it with runtime onnxruntime, or export it in fp32 without fusion."
        )
        raise InputError(msg)
    runtime = asked or (choose_runtime(cpu) if plain else "onnxruntime")
    return runtime, "bf16" if runtime == "openvino" else manifest.precision


def _check_for_gpu(manifest: Manifest, runtime: Runtime) -> None:
    reason = ""
    kinds = ("text", "text_sparse") if runtime == "packed" else ("text",)
    if manifest.kind not in kinds:
        reason = f"it is of kind {manifest.kind}, which that runtime does not serve"
    elif runtime == "packed" and PACKED_WEIGHTS not in manifest.files:
        reason = "its export has no packed weights; the log of `embsearch export` says why"
    elif runtime == "tensorrt" and (manifest.precision == "int8" or manifest.fused):
        reason = "TensorRT takes a plain graph: export it in fp32 without fusion"
    if reason:
        msg = f"Model {manifest.name} cannot be deployed with runtime {runtime}: {reason}. Deploy it with runtime auto."
        raise InputError(msg)
