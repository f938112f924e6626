"""Kinds of values that settings have, and what names begin with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

PROJECT_ROOT = Path(__file__).resolve().parents[2]
PREFIX = "EMBSEARCH_"
LOCAL_DIR = PROJECT_ROOT / os.environ.get(f"{PREFIX}LOCAL_DIR", ".local")
ENV_FILES = () if os.environ.get(f"{PREFIX}ENV_FILES") == "no" else (LOCAL_DIR / "stack.env", LOCAL_DIR / "secrets.env")

Port = Annotated[int, Field(ge=1, le=65535)]


def _without_login(urls: str) -> str:
    """URLs are shown in forms, logs and manifests, so they must hold no secret."""
    if "://" in urls and "@" in urls:
        msg = "a login inside a URL would be shown: give it by its own settings or by an Airflow connection"
        raise ValueError(msg)
    return urls


TritonRuntime = Literal["auto", "openvino", "onnxruntime", "packed", "tensorrt"]
Urls = Annotated[str, AfterValidator(_without_login)]


def _time_zone(name: str) -> str:
    """A name that the time zone database knows."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        msg = "give a time zone by its name, such as UTC or Asia/Seoul"
        raise ValueError(msg) from None
    return name


TimeZone = Annotated[str, AfterValidator(_time_zone)]
# Names go into statements, where nothing can be bound: what is not a plain name is refused.
Column = Annotated[str, Field(pattern=r"^[A-Za-z0-9_$]{1,64}$")]
OptionalColumn = Annotated[str, Field(pattern=r"^[A-Za-z0-9_$]{0,64}$")]  # empty: the table has none
AbsolutePath = Annotated[Path, AfterValidator(lambda path: path if path.is_absolute() else PROJECT_ROOT / path)]
