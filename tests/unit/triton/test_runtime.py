from __future__ import annotations

from pathlib import Path

import pytest

from include.triton.runtime import choose_runtime, cpu_flags


@pytest.mark.parametrize(
    ("flags", "runtime"),
    [
        ({"avx2"}, "onnxruntime"),
        ({"avx2", "avx512_bf16"}, "onnxruntime"),
        ({"avx2", "avx512_bf16", "amx_bf16", "amx_tile"}, "openvino"),
        (set(), "onnxruntime"),
    ],
)
def test_openvino_serves_where_the_cpu_has_bfloat16_tiles(flags: set[str], runtime: str) -> None:
    assert choose_runtime(frozenset(flags)) == runtime


def test_flags_are_read_from_the_first_processor(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu avx2 amx_tile\n\nprocessor\t: 1\nflags\t\t: fpu\n")

    assert cpu_flags(cpuinfo) == {"fpu", "avx2", "amx_tile"}
    assert cpu_flags(tmp_path / "none") == frozenset()
