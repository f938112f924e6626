"""The same model at several precisions: each of its own fingerprint, and as near to the source as is promised."""

from __future__ import annotations

import numpy as np
import pytest

from include.errors import GateFailed, InputError
from include.triton.client import TritonClient
from include.triton.deploy import deploy
from include.triton.probe import MIN_COSINE
from include.triton.runtime import Cpu
from tests.integration.triton.small_served import SmallModels

BFLOAT16 = {"avx512_bf16", "amx_bf16"}


@pytest.mark.parametrize(("name", "precision"), [("ruri", "fp32"), ("ruri_fp16", "fp16"), ("ruri_int8", "int8")])
def test_a_file_is_served_at_its_own_precision(
    small: SmallModels, client: TritonClient, name: str, precision: str
) -> None:
    reference = small.manifest(name).reference

    vectors = client.embed(small.serve(name), reference.texts)

    served = client.served(f"small_{name}")
    assert (served.precision, served.runtime) == (precision, "onnxruntime")
    cosines = (vectors * np.array(reference.vectors)).sum(1)
    assert MIN_COSINE[served.precision] <= cosines.min()
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-3


def test_no_two_precisions_share_a_fingerprint(small: SmallModels, client: TritonClient) -> None:
    served = [client.served(small.serve(name)).fingerprint for name in ("ruri", "ruri_fp16", "ruri_int8")]

    assert len(set(served)) == 3


@pytest.mark.parametrize("name", ["ruri_fp16", "ruri_int8"])
def test_openvino_is_refused_for_a_file_that_is_not_float32(small: SmallModels, name: str) -> None:
    with pytest.raises(InputError, match="which runtime openvino does not serve. Deploy it with runtime onnxruntime"):
        deploy(small.export(name), small.server.settings, runtime="openvino")


@pytest.mark.parametrize("name", ["bge_m3", "clip_image", "clap_audio"])
def test_every_kind_runs_in_bfloat16_where_the_cpu_can(small: SmallModels, name: str) -> None:
    small.serve(name)
    before = small.deployed.pop(name)
    if BFLOAT16.isdisjoint(Cpu.present().flags):  # it must not serve another precision
        with pytest.raises(GateFailed, match="deploy it with runtime=onnxruntime"):
            deploy(small.export(name), small.server.settings, runtime="openvino")
        return

    served = deploy(small.export(name), small.server.settings, runtime="openvino")

    assert served.precision == "bf16"
    assert served.fingerprint != before.fingerprint
    assert served.figures.min_cosine >= 0.999


def test_weights_in_a_file_of_their_own_are_staged_and_load(small: SmallModels, client: TritonClient) -> None:
    manifest = small.manifest("e5")
    assert "model.onnx.data" in manifest.files

    vectors = client.embed(small.serve("e5"), manifest.reference.texts)

    np.testing.assert_allclose(vectors, np.array(manifest.reference.vectors), atol=1e-4)
