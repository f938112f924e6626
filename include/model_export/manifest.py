"""What an exported model says of itself: the file ``manifest.json`` beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from include.catalog.fingerprint import model_fingerprint
from include.errors import ContractError, InputError
from include.generations.files import sha256_of, write_text

MANIFEST = "manifest.json"
MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Route = Literal["optimum", "torch"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class GateFigures(_Frozen):
    """What the gate measured against the freshly loaded source model."""

    texts: int
    min_cosine: float
    mean_cosine: float
    max_norm_error: float  # of |norm - 1|; 0.0 for a model that does not normalise
    shapes: tuple[tuple[int, int], ...]  # [batch, sequence] that were run


class Reference(_Frozen):
    """Texts with the source model's vectors, for the live check after a deploy."""

    texts: tuple[str, ...]
    vectors: tuple[tuple[float, ...], ...]  # [N, D]


class Manifest(_Frozen):
    """An accepted export."""

    request: Sha256  # hash of all that was asked for: the same request is not exported twice
    name: str
    source: str
    revision: str  # as resolved: a commit, a package version, or a hash of a folder
    route: Route
    opset: int
    precision: Literal["fp32"]
    dimension: int
    pooling: Literal["mean", "cls"]
    normalize: bool
    max_length: int  # tokens
    pad_token_id: int
    files: dict[str, Sha256]
    gate: GateFigures
    reference: Reference
    packages: dict[str, str]

    @property
    def tokenizer_sha256(self) -> str:
        """The tokenizer's hash."""
        return self.files[TOKENIZER]

    @property
    def model_sha256(self) -> str:
        """The graph's hash; of a model over 2 GB also its external data's."""
        parts = [f"{name}:{digest}" for name, digest in sorted(self.files.items()) if name.startswith(MODEL)]
        return self.files[MODEL] if len(parts) == 1 else hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def fingerprint(self, precision: str) -> str:
        """The model fingerprint when this export is served at ``precision`` (``fp32`` or ``bf16``)."""
        return model_fingerprint(
            model_sha256=self.model_sha256,
            tokenizer_sha256=self.tokenizer_sha256,
            max_length=self.max_length,
            pooling=self.pooling,
            normalize=self.normalize,
            precision=precision,
        )

    def summary(self) -> dict[str, Any]:
        """What is worth telling: small enough to travel with an event."""
        keep = {"source", "revision", "route", "opset", "precision", "dimension", "max_length"}
        gate = self.gate.model_dump(mode="json")
        return {"model": self.name, **self.model_dump(mode="json", include=keep), "gate": gate}

    def write(self, folder: Path) -> None:
        """Write ``manifest.json`` into ``folder``."""
        write_text(folder / MANIFEST, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of an exported model.

        Raises:
            InputError: ``folder`` holds no exported model.
            ContractError: the manifest is damaged.
        """
        path = folder / MANIFEST
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            msg = f"{folder} holds no exported model ({error}). Export one: `embsearch export --model NAME`."
            raise InputError(msg) from error
        except ValidationError as error:
            msg = f"{path} is damaged ({error}). Remove {folder} and export again."
            raise ContractError(msg) from error

    def check_files(self, folder: Path) -> None:
        """Compare every file with its hash.

        Raises:
            ContractError: a file is missing or has changed since the export.
        """
        for name, expected in self.files.items():
            path = folder / name
            if not path.is_file() or sha256_of(path) != expected:
                msg = f"{path} is missing or has changed since it was exported. Remove {folder} and export again."
                raise ContractError(msg)
