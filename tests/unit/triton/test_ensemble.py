"""What runtime ``tensorrt`` writes for a server, read back by Triton's own schema."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as schema

from include.model_export.contract import CONTRACTS
from include.triton.config_pbtxt import ServingConfig
from include.triton.ensemble import LENGTHS, remove_steps, write_steps
from include.triton.repository import ModelRepository
from tests.unit.triton.test_config_pbtxt import CONFIG

SERVED = replace(CONFIG, runtime="tensorrt", precision="fp16", max_length=512)


def read(path: Path) -> schema.ModelConfig:
    return text_format.Parse(path.read_text(encoding="utf-8"), schema.ModelConfig())


def test_clients_see_the_same_contract_as_of_any_other_runtime() -> None:
    ensemble = text_format.Parse(SERVED.render(), schema.ModelConfig())
    other = text_format.Parse(CONFIG.render(), schema.ModelConfig())

    assert ensemble.platform == "ensemble"
    assert list(ensemble.input) == list(other.input)
    assert list(ensemble.output) == list(other.output)
    assert ensemble.parameters.keys() == other.parameters.keys()
    assert ServingConfig.parse(SERVED.render(), where="there") == SERVED


def test_the_steps_fit_together_and_to_the_exported_graph(tmp_path: Path) -> None:
    ModelRepository(tmp_path).pin(SERVED)
    ensemble = read(tmp_path / "minilm" / "config.pbtxt")
    first, second = ensemble.ensemble_scheduling.step
    tokenizer = read(tmp_path / first.model_name / "config.pbtxt")
    encoder = read(tmp_path / second.model_name / "config.pbtxt")
    graph = CONTRACTS["text"]

    assert [value.name for value in tokenizer.input] == list(first.input_map)
    assert {value.name for value in tokenizer.output} == set(first.output_map) == set(second.input_map)
    assert [(value.name, len(value.dims) + 1) for value in encoder.input] == [
        (tensor.name, len(tensor.axes)) for tensor in graph.inputs
    ]
    assert [value.name for value in encoder.output] == [tensor.name for tensor in graph.outputs]
    assert list(encoder.output[0].dims) == list(ensemble.output[0].dims) == [384]
    assert dict(second.output_map) == {graph.outputs[0].name: "EMBEDDING"}


def test_tensorrt_is_asked_for_float16_with_shapes_for_every_request(tmp_path: Path) -> None:
    ModelRepository(tmp_path).pin(SERVED)
    encoder = read(tmp_path / "minilm-3_encoder" / "config.pbtxt")

    (accelerator,) = encoder.optimization.execution_accelerators.gpu_execution_accelerator
    assert (encoder.backend, accelerator.name) == ("onnxruntime", "tensorrt")
    assert accelerator.parameters["precision_mode"] == "FP16"
    assert accelerator.parameters["trt_engine_cache_enable"] == "true"
    assert accelerator.parameters["trt_profile_min_shapes"] == "input_ids:1x1,attention_mask:1x1"
    assert accelerator.parameters["trt_profile_max_shapes"] == "input_ids:256x512,attention_mask:256x512"
    assert encoder.instance_group[0].kind == schema.ModelInstanceGroup.KIND_GPU
    assert encoder.model_warmup[0].inputs["input_ids"].dims[0] in LENGTHS


def test_the_steps_of_a_version_share_its_files_and_go_without_them(tmp_path: Path) -> None:
    version = ModelRepository(tmp_path).folder("minilm", 3)
    version.mkdir(parents=True)
    (version / "model.onnx").write_text("graph")

    write_steps(tmp_path, SERVED)
    write_steps(tmp_path, SERVED)  # again, after an interruption
    assert (tmp_path / "minilm-3_encoder" / "1" / "model.onnx").read_text() == "graph"

    remove_steps(tmp_path, "minilm", 3)
    assert [path.name for path in tmp_path.iterdir()] == ["minilm"]
    assert (version / "model.onnx").exists()
