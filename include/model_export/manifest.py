"""What an exported model says of itself: the file ``manifest.json`` beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from include.catalog.fingerprint import model_fingerprint
from include.catalog.models import Kind, Medium, Pooling, medium_of
from include.errors import ContractError, InputError
from include.generations.files import sha256_of, write_text

MANIFEST = "manifest.json"
MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"
MEL_FILTERS = "mel_filters.npy"
PACKED_SHAPE = "packed.json"
PACKED_WEIGHTS = "packed.safetensors"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Route = Literal["optimum", "torch"]
Precision = Literal["fp32", "fp16", "int8"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class GateFigures(_Frozen):
    """What the gate measured against the freshly loaded source model."""

    texts: int  # or images, or sounds
    min_cosine: float
    mean_cosine: float
    max_norm_error: float  # of |norm - 1|; 0.0 for a model that does not normalise
    shapes: tuple[tuple[int, ...], ...]  # of the first input, as they were run: [batch, sequence]
    top10_overlap: float | None = None  # share of each text's 10 nearest that the source model finds as well
    max_weight_error: float | None = None  # of the lexical weights, where the model gives some
    floors: dict[str, float] = {}  # what was demanded of the figures above


class Reference(_Frozen):
    """Inputs with the source model's vectors, for the live check after a deploy."""

    texts: tuple[str, ...] = ()
    files: tuple[str, ...] = ()  # beside the manifest: PNG images, or `.npy` float32 samples [S] at the sample rate
    vectors: tuple[tuple[float, ...], ...]  # [N, D], a row for each text or file
    weights: tuple[dict[int, float], ...] = ()  # `text_sparse`: of each text, token id → weight above 0


class ImagePreprocess(_Frozen):
    """From an encoded image to ``pixel_values [3, H, W]``, by Pillow: RGB → resize → crop → scale → normalise."""

    medium: Literal["image"] = "image"
    shortest_edge: int  # pixels after resizing; the longer edge keeps the ratio, rounded down
    resample: int  # Pillow's number of the filter: 3 is bicubic
    crop: tuple[int, int]  # height, width of the middle that is kept
    scale: float  # a byte times this
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class AudioPreprocess(_Frozen):
    """From float samples ``[S]`` to ``input_features [1, T, M]``: log-mel in dB of exactly ``max_samples``.

    Shorter sounds are repeated whole as often as they fit, then padded with silence. Of longer ones the first
    ``max_samples`` count: the checkpoint's own processor takes a random part, which would not be repeatable.
    """

    medium: Literal["audio"] = "audio"
    sample_rate: int  # Hz
    max_samples: int
    n_fft: int  # samples of a frame, under a periodic Hann window; frames are centred, edges reflected
    hop: int  # samples
    mels: int
    mel_filters: str = MEL_FILTERS  # beside the manifest: float64 [n_fft / 2 + 1, M], of power spectra

    @property
    def frames(self) -> int:
        """T: frames of a sound."""
        return self.max_samples // self.hop + 1


Preprocess = Annotated[ImagePreprocess | AudioPreprocess, Field(discriminator="medium")]


class Manifest(_Frozen):
    """An accepted export."""

    request: Sha256  # hash of all that was asked for: the same request is not exported twice
    name: str
    kind: Kind = "text"
    source: str
    revision: str  # as resolved: a commit, a package version, or a hash of a folder
    route: Route
    opset: int
    precision: Precision  # of the weights in the graph
    fused: dict[str, int] = {}  # ONNX Runtime's fused operators in the graph, by number; such a graph runs nowhere else
    dimension: int
    pooling: Pooling
    normalize: bool
    max_length: int  # tokens; 0 for images and sounds
    pad_token_id: int
    preprocess: Preprocess | None = None  # of images and sounds
    files: dict[str, Sha256]
    gate: GateFigures
    reference: Reference
    packages: dict[str, str]

    @property
    def medium(self) -> Medium:
        """What the model takes."""
        return medium_of(self.kind)

    @property
    def tokenizer_sha256(self) -> str:
        """The tokenizer's hash; empty for a model that takes no text."""
        return self.files.get(TOKENIZER, "")

    @property
    def preprocess_sha256(self) -> str:
        """Hash over how an image or a sound becomes the graph's input; empty for a model that takes texts."""
        if self.preprocess is None:
            return ""
        parts = [self.preprocess.model_dump_json(), self.files.get(MEL_FILTERS, "")]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def model_sha256(self) -> str:
        """The graph's hash; of a model over 2 GB also its external data's."""
        names = sorted(name for name in self.files if name.startswith(MODEL))
        return self.files[MODEL] if len(names) == 1 else self._sha256_of(names)

    def _sha256_of(self, names: Sequence[str]) -> str:
        parts = [f"{name}:{self.files.get(name, '')}" for name in names]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def fingerprint(self, precision: str, *, runtime: str = "onnxruntime") -> str:
        """The model fingerprint when this export is served at ``precision`` (as run, such as ``bf16``) by ``runtime``.

        It covers the weights that the runtime reads. On a CPU the precision tells the runtimes apart; the two of a GPU
        both compute in float16, each in its own way.
        """
        packed = runtime == "packed"
        return model_fingerprint(
            model_sha256=self._sha256_of((PACKED_WEIGHTS, PACKED_SHAPE)) if packed else self.model_sha256,
            tokenizer_sha256=self.tokenizer_sha256,
            preprocess_sha256=self.preprocess_sha256,
            kind=self.kind,
            max_length=self.max_length,
            pooling=self.pooling,
            normalize=self.normalize,
            precision=f"{precision} by {runtime}" if runtime in ("packed", "tensorrt") else precision,
        )

    def summary(self) -> dict[str, Any]:
        """What is worth telling: small enough to travel with an event."""
        keep = {"kind", "source", "revision", "route", "opset", "precision", "fused", "dimension", "max_length"}
        gate = self.gate.model_dump(mode="json")
        told = self.model_dump(mode="json", include=keep)
        return {"model": self.name, **told, "fuse": bool(self.fused), "gate": gate}

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
        except FileNotFoundError as error:
            msg = f"{folder} holds no exported model. Export it: `embsearch export --model {folder.parent.name}`."
            raise InputError(msg) from error
        except OSError as error:
            msg = f"{path} cannot be read: {error.strerror}. Mend that, or export the model again."
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
