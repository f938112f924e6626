"""``config.pbtxt`` of one served version, written from and read into a dataclass through Triton's own schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as schema

from include.errors import ContractError
from include.generations.files import write_text

CONFIG = "config.pbtxt"
INPUT = "TEXT"
OUTPUT = "EMBEDDING"

Runtime = Literal["openvino", "onnxruntime"]
Precision = Literal["fp32", "bf16"]


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
    token_budget: int  # padded tokens of one run of the graph
    max_batch_size: int  # texts of one request, and of all requests joined for one execution
    instances: int  # each with one thread

    def of(self, *, model: str, version: int) -> Self:
        """The same under another name and version."""
        return replace(self, model=model, version=version)

    def render(self) -> str:
        """The text of ``config.pbtxt``."""
        # One warm-up request per instance before the version takes over; a BYTES input of zeros is an empty text.
        warmup = schema.ModelWarmup(name="one_text", batch_size=1)
        warmup.inputs[INPUT].MergeFrom(schema.ModelWarmup.Input(data_type=schema.TYPE_STRING, dims=[1], zero_data=True))
        message = schema.ModelConfig(
            name=self.model,
            backend="python",
            max_batch_size=self.max_batch_size,
            input=[schema.ModelInput(name=INPUT, data_type=schema.TYPE_STRING, dims=[1])],
            output=[schema.ModelOutput(name=OUTPUT, data_type=schema.TYPE_FP32, dims=[self.dimension])],
            instance_group=[schema.ModelInstanceGroup(kind=schema.ModelInstanceGroup.KIND_CPU, count=self.instances)],
            # Joins waiting requests into one execution; never waits for more.
            dynamic_batching=schema.ModelDynamicBatching(),
            # Pinned, so that a restarted server serves what was promoted and not what lies highest.
            version_policy=schema.ModelVersionPolicy(
                specific=schema.ModelVersionPolicy.Specific(versions=[self.version])
            ),
            model_warmup=[warmup],
        )
        for key, value in asdict(self).items():
            message.parameters[key].string_value = str(value)
        text: str = text_format.MessageToString(message)
        return text

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
