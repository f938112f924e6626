from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from include.errors import ContractError
from include.triton.config_pbtxt import ServingConfig

CONFIG = ServingConfig(
    model="minilm",
    version=3,
    previous=2,
    fingerprint="f" * 64,
    build="b" * 64,
    dimension=384,
    max_length=256,
    pad_token_id=1,
    precision="bf16",
    runtime="openvino",
    token_budget=512,
    max_batch_size=256,
    instances=2,
)


def test_a_configuration_reads_back_equal(tmp_path: Path) -> None:
    path = tmp_path / "minilm" / "config.pbtxt"
    CONFIG.write(path)

    assert ServingConfig.parse(path.read_text(encoding="utf-8"), where="there") == CONFIG


def test_triton_reads_the_version_pinned_and_the_shapes_without_the_batch() -> None:
    message = text_format.Parse(CONFIG.render(), model_config_pb2.ModelConfig())

    assert list(message.version_policy.specific.versions) == [3]
    assert [(entry.name, list(entry.dims)) for entry in (*message.input, *message.output)] == [
        ("TEXT", [1]),
        ("EMBEDDING", [384]),
    ]
    assert message.instance_group[0].count == 2


def test_on_a_cpu_a_quarter_of_what_one_request_may_hold_is_joined_at_once() -> None:
    joining = text_format.Parse(CONFIG.render(), model_config_pb2.ModelConfig()).dynamic_batching

    assert list(joining.preferred_batch_size) == [64]
    assert joining.max_queue_delay_microseconds == 0


def test_on_a_gpu_requests_wait_a_moment_for_as_many_as_fit() -> None:
    packed = replace(CONFIG, runtime="packed", precision="fp16", max_batch_size=1024)
    joining = text_format.Parse(packed.render(), model_config_pb2.ModelConfig()).dynamic_batching

    assert not joining.preferred_batch_size
    assert joining.max_queue_delay_microseconds > 0


def test_a_model_of_each_kind_has_its_own_inputs_and_outputs() -> None:
    shapes = {}
    for kind in ("text_sparse", "clip_image", "clap_audio"):
        message = text_format.Parse(replace(CONFIG, kind=kind).render(), model_config_pb2.ModelConfig())
        shapes[kind] = [(entry.name, list(entry.dims)) for entry in (*message.input, *message.output)]

    vector = ("EMBEDDING", [384])
    assert shapes["text_sparse"] == [("TEXT", [1]), vector, ("SPARSE_INDICES", [-1]), ("SPARSE_WEIGHTS", [-1])]
    assert shapes["clip_image"] == [("IMAGE", [1]), vector]
    assert shapes["clap_audio"] == [("AUDIO", [-1]), ("LENGTH", [1]), vector]


def test_a_version_that_names_no_kind_takes_texts() -> None:
    message = text_format.Parse(CONFIG.render(), model_config_pb2.ModelConfig())
    parameters = {key: value.string_value for key, value in message.parameters.items() if key != "kind"}

    assert ServingConfig.from_parameters(parameters, where="there") == CONFIG


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('name: "other"', "was not deployed by this project"),
        (CONFIG.render().replace('string_value: "384"', 'string_value: "many"'), "was not deployed by this project"),
        ("name: minilm instance_grup {}", "cannot be parsed"),
    ],
)
def test_a_foreign_configuration_is_refused_by_its_path(text: str, reason: str) -> None:
    with pytest.raises(ContractError, match=rf"^/models/config\.pbtxt.*{reason}"):
        ServingConfig.parse(text, where="/models/config.pbtxt")
