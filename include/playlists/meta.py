"""What the cache says of itself: one key that changes together with the sets."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeInt, ValidationError

from include.errors import ContractError
from include.playlists.parameters import Encoding

KEY_PREFIX = "playlist_idx"


def set_name(program: str, index_type: str) -> str:
    """``<program>_<index type>``; a programme's name has no underscore, so the two can be told apart again."""
    return f"{program}_{index_type}"


def split_name(name: str) -> tuple[str, str]:
    """The inverse of :func:`set_name`."""
    program, _, index_type = name.partition("_")
    return program, index_type


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SetInfo(_Frozen):
    """What is known of one set without reading it."""

    ids: NonNegativeInt
    encoding: Encoding
    index_version: str  # of the index that the ids were found in
    run_date: AwareDatetime  # of the run that wrote it
    time: AwareDatetime  # when it was written


class Meta(_Frozen):
    """All sets that the cache holds, by name."""

    format: Literal[1] = 1
    sets: dict[str, SetInfo] = {}

    @classmethod
    def read(cls, key: str, text: bytes | None) -> Self:
        """What ``key`` holds; without any text, a cache that holds nothing.

        Raises:
            ContractError: the text cannot be understood.
        """
        try:
            return cls.model_validate_json(text) if text is not None else cls()
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            where = ".".join(map(str, found["loc"])) or "all of it"
            msg = (
                f"{key} in Redis is damaged ({where}: {found['msg']}), so how the sets are encoded is not known any "
                "more. Delete that key, then run playlist_cache for all programmes and types."
            )
            raise ContractError(msg) from error
