from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.errors import InputError
from include.model_export.manifest import GateFigures, Manifest, Reference
from include.triton.runtime import Cpu, choose_runtime, served_as

AMX = Cpu("GenuineIntel", frozenset({"avx512_bf16", "amx_bf16", "amx_tile"}))
PLAIN = Cpu()


def manifest(**changes: Any) -> Manifest:
    """An export, of which only the precision and what was fused matter here."""
    gate = GateFigures(texts=1, min_cosine=1.0, mean_cosine=1.0, max_norm_error=0.0, shapes=())
    return Manifest(
        request="0" * 64, name="m", source="s", revision="r", route="torch", opset=17, dimension=2, pooling="mean",
        normalize=True, max_length=8, pad_token_id=0, files={}, gate=gate, reference=Reference(vectors=()), packages={},
        **({"precision": "fp32"} | changes),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("vendor", "flags", "runtime"),
    [
        ("GenuineIntel", {"avx2"}, "onnxruntime"),
        ("GenuineIntel", {"avx2", "avx512_bf16"}, "onnxruntime"),
        ("GenuineIntel", {"avx2", "avx512_bf16", "amx_bf16", "amx_tile"}, "openvino"),
        ("AuthenticAMD", {"avx2", "avx512_bf16"}, "openvino"),
        ("AuthenticAMD", {"avx2"}, "onnxruntime"),
        ("", set(), "onnxruntime"),
    ],
)
def test_openvino_serves_where_the_cpu_gains_by_bfloat16(vendor: str, flags: set[str], runtime: str) -> None:
    assert choose_runtime(Cpu(vendor, frozenset(flags))) == runtime


def test_the_first_processor_tells_vendor_and_flags(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nflags\t\t: sse\n"
    )

    assert Cpu.present(cpuinfo) == Cpu("AuthenticAMD", frozenset({"fpu", "avx2"}))
    assert Cpu.present(tmp_path / "none") == PLAIN


@pytest.mark.parametrize(
    ("precision", "asked", "cpu", "expected"),
    [
        ("fp32", None, AMX, ("openvino", "bf16")),
        ("fp32", None, PLAIN, ("onnxruntime", "fp32")),
        ("fp32", "onnxruntime", AMX, ("onnxruntime", "fp32")),
        ("fp32", "openvino", PLAIN, ("openvino", "bf16")),
        ("fp16", None, AMX, ("onnxruntime", "fp16")),
        ("int8", None, AMX, ("onnxruntime", "int8")),
    ],
)
def test_a_file_of_less_than_float32_is_computed_as_it_is(
    precision: str, asked: Any, cpu: Cpu, expected: tuple[str, str]
) -> None:
    assert served_as(manifest(precision=precision), asked, cpu) == expected


def test_a_fused_graph_runs_on_onnx_runtime_alone() -> None:
    fused = manifest(fused={"Attention": 3})

    assert served_as(fused, None, AMX) == ("onnxruntime", "fp32")
    with pytest.raises(InputError, match="Model m was fused, which runtime openvino does not serve"):
        served_as(fused, "openvino", AMX)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_openvino_is_refused_for_a_file_that_it_does_not_serve(precision: str) -> None:
    with pytest.raises(InputError, match=f"Model m was exported in {precision}"):
        served_as(manifest(precision=precision), "openvino", AMX)


def test_histograms_are_never_computed_in_bfloat16() -> None:
    features = manifest(kind="image_features")
    assert served_as(features, None, AMX) == ("onnxruntime", "fp32")
    with pytest.raises(InputError, match="image_features, which runtime openvino does not serve"):
        served_as(features, "openvino", AMX)
