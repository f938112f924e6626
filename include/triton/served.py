"""What a server says of a model, and whether its answers agree with that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from include.catalog.models import Kind
from include.errors import ContractError
from include.triton.config_pbtxt import Precision, Runtime, ServingConfig

Vectors = NDArray[np.float32]  # [N, D]


@dataclass(frozen=True)
class ServedModel:
    """What the server says of a version that it serves."""

    name: str
    version: int
    fingerprint: str
    dimension: int
    max_length: int  # tokens
    precision: Precision
    runtime: Runtime
    max_batch_size: int  # texts, images or sounds
    kind: Kind = "text"

    @classmethod
    def of(cls, answer: Mapping[str, Any], *, where: str) -> Self:
        """Read the answer to a request for a model's configuration.

        Raises:
            ContractError: the model was not deployed by this project.
        """
        parameters = {key: value.get("string_value", "") for key, value in answer.get("parameters", {}).items()}
        config = ServingConfig.from_parameters(parameters, where=where)
        return cls(
            name=config.model,
            version=config.version,
            fingerprint=config.fingerprint,
            dimension=config.dimension,
            max_length=config.max_length,
            precision=config.precision,
            runtime=config.runtime,
            max_batch_size=config.max_batch_size,
            kind=config.kind,
        )


def check_vectors(vectors: NDArray[np.generic] | None, *, rows: int, served: ServedModel) -> Vectors:
    """The vectors, unless they are not ``[rows, D]`` finite values.

    Raises:
        ContractError: saying what is wrong.
    """
    expected, who = (rows, served.dimension), f"Model {served.name} version {served.version}"
    if vectors is None or vectors.shape != expected:
        shape = None if vectors is None else vectors.shape
        msg = f"{who} answered with shape {shape}, not {expected}. Deploy it again."
        raise ContractError(msg)
    if not np.isfinite(vectors).all():
        msg = f"{who} answered with values that are not finite. Roll it back."
        raise ContractError(msg)
    return np.asarray(vectors, np.float32)
