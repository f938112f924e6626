"""Fields that several workflows have: the same name, help and bounds wherever they stand.

Each function gives a fresh field whose default is read from the settings when it is needed.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from include.settings import get_settings

# Each description says in words what its pattern wants: the words are part of the message that refuses a value.
ALIAS = "^[a-z0-9]([a-z0-9_-]*[a-z0-9-])?$"
ALIAS_HELP = "a–z, 0–9, '-' and '_', first a letter or a digit, last no '_'"
URLS = "^([^@]*|(edge|exact):.*)$"  # no login: parameters are shown and kept
URLS_HELP = "No login inside: give it by the environment or by an Airflow connection."


def _setting(name: str, title: str, description: str, *, pattern: str | None = None, longest: int = 1000) -> Any:
    return Field(
        default_factory=lambda: getattr(get_settings(), name),
        title=title,
        description=description,
        min_length=1,
        max_length=longest,
        pattern=pattern,
    )


def input_file(setting: str, what: str) -> Any:
    """A text or Parquet file."""
    help_text = f"Text with one {what} a line, or Parquet. A relative path starts at the project's root."
    return _setting(setting, f"{what.capitalize()} file", help_text)


def limit(default: int, what: str) -> Any:
    """How many rows to take."""
    return Field(default, title="Limit", description=f"Take the first so many {what}; 0 takes all.", ge=0, le=10**9)


def min_share() -> Any:
    """How much smaller a build may be than what it replaces."""
    help_text = "A new build with less than this share of the rows that are served is not served; 0 lets any pass."
    return Field(0.5, title="Smallest share", description=help_text, ge=0, le=1)


def column(default: str, what: str) -> Any:
    """A column of a Parquet file."""
    help_text = f"Column with the {what}, for Parquet."
    return Field(default, title=f"{what.capitalize()} column", description=help_text, min_length=1, max_length=200)


def id_column() -> Any:
    """The column of a Parquet file that numbers its rows."""
    help_text = "Column with the ids, for Parquet; empty takes keyword_id where there is one, else rows are numbered."
    return Field("", title="Id column", description=help_text, max_length=200)


def batch_size(what: str) -> Any:
    """Rows in one request."""
    return Field(64, title="Batch size", description=f"{what} in one batch.", ge=1, le=1024)


def workers(default: int, what: str) -> Any:
    """Requests in flight."""
    return Field(default, title="Workers", description=f"{what} in flight in one task.", ge=1, le=64)


def top_k(default: int) -> Any:
    """Nearest keywords."""
    return Field(default, title="Nearest keywords", description="How many to keep, best first.", ge=1, le=1000)


def model() -> Any:
    """A model of the catalogue."""
    help_text = (
        "Name in the catalogue, of a–z, 0–9 and '_', first a letter or a digit; where vectors are searched, the "
        "collection's own model."
    )
    return _setting("model", "Model", help_text, pattern="^[a-z0-9][a-z0-9_]*$", longest=100)


def collection() -> Any:
    """The alias of keyword vectors."""
    help_text = f"Name of the keyword vectors: {ALIAS_HELP}."
    return _setting("collection", "Collection", help_text, pattern=ALIAS, longest=100)


def index(setting: str) -> Any:
    """The alias of an Elasticsearch index."""
    return _setting(setting, "Index", f"Name of the index that readers use: {ALIAS_HELP}.", pattern=ALIAS, longest=100)


def kserve_url() -> Any:
    """Triton."""
    return _setting("kserve_url", "Triton URL", f"KServe V2 over HTTP; several by commas. {URLS_HELP}", pattern=URLS)


def qdrant_url() -> Any:
    """Qdrant."""
    help_text = f"A server, or edge:<folder> for the engine in process. {URLS_HELP}"
    return _setting("qdrant_url", "Qdrant URL", help_text, pattern=URLS)


def es_url() -> Any:
    """Elasticsearch."""
    return _setting("es_url", "Elasticsearch URL", f"Several hosts by commas. {URLS_HELP}", pattern=URLS)
