"""A pointer file: one line that names the served generation, switched by rename, the previous kept beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from include.generations.files import write_text
from include.generations.locks import locked


@dataclass(frozen=True)
class Pointer:
    """Which generation an alias names, in ``<folder>/<alias>.current`` or a file of another name."""

    folder: Path
    alias: str
    file: str | None = None

    @property
    def path(self) -> Path:
        """The pointer file."""
        return self.folder / (self.file or f"{self.alias}.current")

    def current(self) -> str | None:
        """The served generation, or ``None`` before the first promote."""
        try:
            return self.path.read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def promote(self, generation: str) -> str | None:
        """Serve ``generation``; return what was served before."""
        with locked(self.folder / f".{self.alias}.pointer.lock", purpose=f"promote {generation}", wait_seconds=30):
            previous = self.current()
            write_text(self.path, generation + "\n")
            return previous
