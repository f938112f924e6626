"""What a server says of a model, and whether its answers agree with that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

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
    max_batch_size: int  # texts

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
        )


def check_vectors(
    vectors: NDArray[np.generic] | None, *, rows: int, served: ServedModel, model: str, fingerprint: str | None
) -> None:
    """Refuse an answer that is not ``[rows, D]`` finite vectors of the wanted model.

    Raises:
        ContractError: saying what is wrong.
    """
    expected = (rows, served.dimension)
    if vectors is None or vectors.shape != expected:
        shape = None if vectors is None else vectors.shape
        msg = f"Model {model} version {served.version} answered with shape {shape}, not {expected}. Deploy it again."
        raise ContractError(msg)
    if not np.isfinite(vectors).all():
        msg = f"Model {model} version {served.version} answered with values that are not finite. Roll it back."
        raise ContractError(msg)
    if fingerprint is not None and served.fingerprint != fingerprint:
        msg = (
            f"Model {model} changed while it was in use: version {served.version} has fingerprint "
            f"{served.fingerprint[:12]}, this run began with {fingerprint[:12]}. Start the run again."
        )
        raise ContractError(msg)
