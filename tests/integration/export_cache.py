"""Where tests keep what they export: made once, which takes minutes, and again when the code that makes it changes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from include.settings import PROJECT_ROOT, Settings

LOCK = PROJECT_ROOT / "requirements" / "export.txt"


def cache_folder(kind: str, *makers: Path) -> Path:
    """A folder of its own for each content of the exporter, its packages and ``makers``."""
    code = [LOCK, *sorted((PROJECT_ROOT / "include" / "model_export").glob("*.py")), *makers]
    content = hashlib.sha256(b"".join(path.read_bytes() for path in code)).hexdigest()
    return PROJECT_ROOT / ".local" / "cache" / "tests" / kind / content[:12]


def export_settings() -> Settings:
    """Settings whose exports are kept."""
    return Settings(state_dir=cache_folder("exports"))
