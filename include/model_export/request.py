"""What is asked of an export, and the folder where its answer belongs. Needs neither torch nor the network."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from include.catalog.models import ModelSpec
from include.errors import ContractError, InputError
from include.generations.files import sha256_of
from include.model_export.floors import FLOORS
from include.model_export.manifest import Manifest, Precision

LOCK = Path(__file__).resolve().parents[2] / "requirements" / "export.txt"
EXPORTER = 4  # raise it when a change of this code changes what is exported


@dataclass(frozen=True)
class ExportRequest:
    """One model of the catalogue in one form.

    Raises:
        InputError: there is no such form.
    """

    spec: ModelSpec
    root: Path  # exported models, by name
    precision: Precision = "fp32"
    fuse: bool = False  # by ONNX Runtime's transformers optimiser

    def __post_init__(self) -> None:
        if self.fuse and self.precision == "int8":
            msg = "A fused graph cannot be quantised to int8: its types cannot be inferred. Ask for one of the two."
            raise InputError(msg)

    @property
    def variant(self) -> str:
        """Precision and fusion, as one word."""
        return f"{self.precision}-fused" if self.fuse else self.precision

    @property
    def key(self) -> str:
        """Hex SHA-256 over the model's entry, its weights when they are a local folder, and the locked packages.

        What the gate compares by, languages and floors, belongs to it: when they change the export is checked anew.

        A Hugging Face revision that is a branch counts by its name: ``force`` exports its newest commit.
        """
        spec = self.spec.model_dump(mode="json", exclude={"prefixes"})
        weights = folder_digest(Path(self.spec.source)) if is_folder(self.spec.source) else ""
        value = {
            "exporter": EXPORTER,
            "spec": spec,
            "variant": self.variant,
            "weights": weights,
            "floors": asdict(FLOORS[self.precision]),
            "packages": sha256_of(LOCK),
        }
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """Where the exported model stands."""
        return self.root / self.spec.name / f"{self.variant}-{self.key[:12]}"

    def finished(self) -> Manifest | None:
        """The manifest of this very request when it was exported and its files are whole, else ``None``."""
        try:
            manifest = Manifest.read(self.folder)
            manifest.check_files(self.folder)
        except (InputError, ContractError):
            return None
        return manifest if manifest.request == self.key else None


def is_folder(source: str) -> bool:
    """Whether a catalogue source is a local folder and not a Hugging Face id (which has one slash, not first)."""
    return source.startswith(("/", "./", "../", "~"))


def folder_digest(folder: Path) -> str:
    """Hex SHA-256 over all files of a model folder, by relative name and content.

    Raises:
        InputError: there is no such folder, or it has no ``config.json``.
    """
    folder = folder.expanduser()
    if not (folder / "config.json").is_file():
        msg = f"{folder} is no model folder: it has no config.json. Check `source` in the catalogue."
        raise InputError(msg)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder)}:{sha256_of(path)}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
