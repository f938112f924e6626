"""Runtime ``tensorrt``: the exported graph on the server's own onnxruntime backend, with TensorRT, behind a tokenizer.

``<model>`` is an ensemble, TEXT → EMBEDDING as everywhere. Its two steps are models beside it, one pair a version, so
that an old version serves on while a new one is loaded: ``<model>-<version>_tokenizer`` (Python) and
``<model>-<version>_encoder`` (onnxruntime). A server loads them with the ensemble. Their files are those of the
version: their own version folder is a link to it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as schema

from include.generations.files import write_text
from include.model_export.contract import IDS, MASK, VECTOR
from include.model_export.manifest import MODEL
from include.triton.tensors import EMBEDDING, TEXT

if TYPE_CHECKING:
    from include.triton.config_pbtxt import ServingConfig

# Tokens to which the rows of a request are padded. Only requests of one shape are joined, so there are few.
LENGTHS = (16, 32, 64, 128, 256, 512)
MAX_LENGTH = LENGTHS[-1]  # tokens: TensorRT keeps room for the largest batch of the longest rows
TYPICAL = (64, 32)  # texts × tokens that the engine is made for
DELAY = 500  # microseconds that a request waits for others
ENGINES = "/var/cache/tensorrt"  # in the server's container, on a volume: making an engine takes minutes
WORKSPACE = 4 * 2**30  # bytes that TensorRT may use while it runs


def step_names(model: str, version: int) -> tuple[str, str]:
    """The tokenizer's and the encoder's names."""
    return f"{model}-{version}_tokenizer", f"{model}-{version}_encoder"


def is_step(name: str, model: str) -> bool:
    """Whether ``name`` is a step of any version of ``model``."""
    return re.fullmatch(rf"{re.escape(model)}-\d+_(tokenizer|encoder)", name) is not None


def add_steps(message: schema.ModelConfig, config: ServingConfig) -> None:
    """Make ``message``, which has inputs and outputs, the ensemble of ``config``."""
    message.platform = "ensemble"
    tokenizer, encoder = step_names(config.model, config.version)
    for name, inputs, outputs in (
        (tokenizer, {TEXT: TEXT}, {IDS: IDS, MASK: MASK}),
        (encoder, {IDS: IDS, MASK: MASK}, {VECTOR: EMBEDDING}),
    ):
        step = message.ensemble_scheduling.step.add(model_name=name, model_version=-1)
        step.input_map.update(inputs)
        step.output_map.update(outputs)


def step_configs(config: ServingConfig) -> tuple[schema.ModelConfig, schema.ModelConfig]:
    """The configurations of both steps."""
    return tokenizer_config(config), encoder_config(config)


def tokenizer_config(config: ServingConfig) -> schema.ModelConfig:
    """Of the first step: TEXT → input_ids, attention_mask."""
    message = schema.ModelConfig(
        name=step_names(config.model, config.version)[0],
        backend="python",
        max_batch_size=config.max_batch_size,
        input=[schema.ModelInput(name=TEXT, data_type=schema.TYPE_STRING, dims=[1])],
        output=[schema.ModelOutput(name=name, data_type=schema.TYPE_INT64, dims=[-1]) for name in (IDS, MASK)],
        instance_group=[schema.ModelInstanceGroup(kind=schema.ModelInstanceGroup.KIND_CPU, count=config.instances)],
    )
    lengths = [length for length in LENGTHS if length < config.max_length]
    for key, value in {
        "pad_token_id": config.pad_token_id,
        "lengths": ",".join(map(str, [*lengths, config.max_length])),
    }.items():
        message.parameters[key].string_value = str(value)
    return message


def encoder_config(config: ServingConfig) -> schema.ModelConfig:
    """Of the second step: the graph as it was exported, in float16 by TensorRT."""
    accelerator = schema.ModelOptimizationPolicy.ExecutionAccelerators.Accelerator(name="tensorrt")
    accelerator.parameters.update(
        {
            "precision_mode": "FP16",
            "max_workspace_size_bytes": str(WORKSPACE),
            "trt_engine_cache_enable": "true",
            "trt_engine_cache_path": ENGINES,
            "trt_timing_cache_enable": "true",
            "trt_layer_norm_fp32_fallback": "true",
            # Without them TensorRT makes a new engine, for minutes, at each new shape.
            "trt_profile_min_shapes": _shapes(1, 1),
            "trt_profile_opt_shapes": _shapes(*TYPICAL),
            "trt_profile_max_shapes": _shapes(config.max_batch_size, config.max_length),
        }
    )
    warmup = schema.ModelWarmup(name="makes_the_engine", batch_size=1)
    for name in (IDS, MASK):
        zeros = schema.ModelWarmup.Input(data_type=schema.TYPE_INT64, dims=[LENGTHS[0]], zero_data=True)
        warmup.inputs[name].MergeFrom(zeros)
    return schema.ModelConfig(
        name=step_names(config.model, config.version)[1],
        backend="onnxruntime",
        default_model_filename=MODEL,
        max_batch_size=config.max_batch_size,
        input=[schema.ModelInput(name=name, data_type=schema.TYPE_INT64, dims=[-1]) for name in (IDS, MASK)],
        output=[schema.ModelOutput(name=VECTOR, data_type=schema.TYPE_FP32, dims=[config.dimension])],
        instance_group=[schema.ModelInstanceGroup(kind=schema.ModelInstanceGroup.KIND_GPU, count=1)],
        dynamic_batching=schema.ModelDynamicBatching(max_queue_delay_microseconds=DELAY),
        optimization=schema.ModelOptimizationPolicy(
            execution_accelerators=schema.ModelOptimizationPolicy.ExecutionAccelerators(
                gpu_execution_accelerator=[accelerator]
            )
        ),
        model_warmup=[warmup],
    )


def _shapes(batch: int, length: int) -> str:
    return ",".join(f"{name}:{batch}x{length}" for name in (IDS, MASK))


def write_steps(root: Path, config: ServingConfig) -> None:
    """Put both steps of ``config`` into the repository at ``root``, where a server finds them."""
    for message in step_configs(config):
        folder = root / message.name
        folder.mkdir(exist_ok=True)
        link = folder / "1"
        link.unlink(missing_ok=True)
        link.symlink_to(Path("..") / config.model / str(config.version), target_is_directory=True)
        write_text(folder / "config.pbtxt", text_format.MessageToString(message))


def remove_steps(root: Path, model: str, version: int) -> None:
    """Take the steps of a version away; its own files stay."""
    for name in step_names(model, version):
        shutil.rmtree(root / name, ignore_errors=True)
