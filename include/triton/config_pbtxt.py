"""``config.pbtxt`` of one served version, written from and read into a dataclass through Triton's own schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as schema

from include.catalog.models import Kind
from include.errors import ContractError
from include.generations.files import write_text
from include.triton.ensemble import DELAY, add_steps
from include.triton.tensors import DataType, inputs_of, outputs_of

CONFIG = "config.pbtxt"

# On a CPU: openvino, onnxruntime. On a GPU: packed (torch), tensorrt (the server's onnxruntime backend).
Runtime = Literal["openvino", "onnxruntime", "packed", "tensorrt"]
Precision = Literal["fp32", "bf16", "fp16", "int8"]

JOINED_SHARE = 4  # on a CPU requests are joined until they hold this part of what one may hold: 64 texts

KIND = {False: schema.ModelInstanceGroup.KIND_CPU, True: schema.ModelInstanceGroup.KIND_GPU}

TYPES: dict[DataType, int] = {
    "BYTES": schema.TYPE_STRING,
    "FP32": schema.TYPE_FP32,
    "INT32": schema.TYPE_INT32,
}


@dataclass(frozen=True)
class ServingConfig:
    """How one version of a model is served. All of it is readable from the running server."""

    model: str
    version: int
    previous: int  # the version served before this one, 0 for none: where a roll back goes
    fingerprint: str  # of the vectors
    build: str  # hash of everything in the version's folder and of this configuration's choices
    dimension: int
    max_length: int  # tokens
    pad_token_id: int
    precision: Precision
    runtime: Runtime
    token_budget: int  # padded tokens of one run of the graph; without meaning for images and sounds
    max_batch_size: int  # texts, images or sounds of one request, and of all that are joined
    instances: int  # each with one thread
    kind: Kind = "text"  # versions that were deployed before there were others do not name it

    @property
    def on_gpu(self) -> bool:
        """Whether it needs a GPU; packed texts in float32 run on a CPU, to try them out."""
        return self.runtime in ("packed", "tensorrt") and self.precision == "fp16"

    def of(self, *, model: str, version: int) -> Self:
        """The same under another name and version."""
        return replace(self, model=model, version=version)

    def render(self) -> str:
        """The text of ``config.pbtxt``."""
        message = schema.ModelConfig(
            name=self.model,
            max_batch_size=self.max_batch_size,
            input=[
                schema.ModelInput(
                    name=tensor.name, data_type=TYPES[tensor.dtype], dims=tensor.dims, optional=tensor.optional
                )
                for tensor in inputs_of(self.kind)
            ],
            output=[
                schema.ModelOutput(name=tensor.name, data_type=TYPES[tensor.dtype], dims=tensor.dims)
                for tensor in outputs_of(self.kind, self.dimension)
            ],
            # Pinned, so that a restarted server serves what was promoted and not what lies highest.
            version_policy=schema.ModelVersionPolicy(
                specific=schema.ModelVersionPolicy.Specific(versions=[self.version])
            ),
        )
        if self.runtime == "tensorrt":
            add_steps(message, self)
        else:
            self._run_by_python(message)
        for key, value in asdict(self).items():
            message.parameters[key].string_value = str(value)
        text: str = text_format.MessageToString(message)
        return text

    def _run_by_python(self, message: schema.ModelConfig) -> None:
        message.backend = "python"
        message.instance_group.add(kind=KIND[self.on_gpu], count=self.instances)
        # Joins waiting requests into one execution.
        joining = message.dynamic_batching
        if self.on_gpu:
            joining.max_queue_delay_microseconds = DELAY
        else:
            # Never waits for more, and joins no further once it holds this many: an execution is not divided among
            # instances, so at the end of some work one computes a large one while the others have nothing to do.
            joining.preferred_batch_size.append(max(1, self.max_batch_size // JOINED_SHARE))

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str], *, where: str) -> Self:
        """Read the parameters of a ``config.pbtxt`` or of a running server; ``where`` names it in an error.

        Raises:
            ContractError: a parameter is missing or has a wrong value: the model was not deployed by this project.
        """
        try:
            values: dict[str, Any] = {
                field.name: int(parameters[field.name]) if field.type == "int" else parameters[field.name]
                for field in fields(cls)
                if field.default is MISSING or field.name in parameters
            }
        except (KeyError, ValueError) as error:
            msg = f"{where} was not deployed by this project ({error!r}). Deploy it: `embsearch deploy --model NAME`."
            raise ContractError(msg) from error
        return cls(**values)

    @classmethod
    def parse(cls, text: str, *, where: str) -> Self:
        """The inverse of :meth:`render`.

        Raises:
            ContractError: the text is not a ``config.pbtxt`` of this project.
        """
        try:
            message = text_format.Parse(text, schema.ModelConfig())
        except text_format.ParseError as error:
            msg = f"{where} cannot be parsed: {error}. Deploy the model again."
            raise ContractError(msg) from error
        parameters = {key: value.string_value for key, value in message.parameters.items()}
        return cls.from_parameters(parameters, where=where)

    def write(self, path: Path) -> None:
        """Replace the file atomically, after checking that it reads back equal.

        Raises:
            ContractError: it does not.
        """
        text = self.render()
        if type(self).parse(text, where=str(path)) != self:
            msg = f"{path}: the configuration does not read back equal. This is a defect: please report it."
            raise ContractError(msg)
        write_text(path, text)
