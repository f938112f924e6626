"""The seven indexes of music search: which table each is grown from, and the file its readers open."""

from __future__ import annotations

from dataclasses import dataclass

from include.errors import InputError

ALL = "all"


@dataclass(frozen=True)
class IndexType:
    """One index: a row for each row of its table, by the table's own id."""

    name: str  # as users type it
    table: str
    file: str  # readers open <file>.index
    model: str  # what made the vectors
    dimension: int


INDEX_TYPES = {
    kind.name: kind
    for kind in (
        IndexType("song", "tb_embedding_clap_h", "muse_vibe", "clap", 512),
        IndexType("lyrics_summary", "tb_embedding_clap_lyrics_summary_h", "muse_lyrics_summary", "clap", 512),
        IndexType("artist", "tb_embedding_bgem3_artist_h", "muse_artist", "bgem3", 1024),
        IndexType("song_name", "tb_embedding_bgem3_song_name_h", "muse_title", "bgem3", 1024),
        IndexType("album_name", "tb_embedding_bgem3_album_name_h", "muse_album", "bgem3", 1024),
        IndexType("lyrics_slide", "tb_embedding_bgem3_lyrics_slide_h", "muse_lyrics", "bgem3", 1024),
        IndexType("lyrics_3_slide", "tb_embedding_bgem3_lyrics_3_slide_h", "muse_lyrics_3", "bgem3", 1024),
    )
}

# Radio programmes whose songs are kept ready as sets of ids; the songs of each are in tb_song_<program>_m.
PROGRAMS = ("drp", "fgy", "k2k", "mdi", "nmg", "rtc")


def index_type(name: str) -> IndexType:
    """The index type called ``name``.

    Raises:
        InputError: there is none; the message lists those there are.
    """
    try:
        return INDEX_TYPES[name]
    except KeyError:
        msg = f"There is no index type {name!r}. There are: {', '.join(INDEX_TYPES)}, or {ALL}."
        raise InputError(msg) from None


def index_types(names: str) -> list[IndexType]:
    """Those that ``names`` lists, separated by commas, each once; ``all`` means every one.

    Raises:
        InputError: one of them does not exist, or none is named.
    """
    asked = dict.fromkeys(name.strip() for name in names.split(",") if name.strip())
    if not asked:
        msg = f"No index type is named. There are: {', '.join(INDEX_TYPES)}, or {ALL}."
        raise InputError(msg)
    return list(INDEX_TYPES.values()) if ALL in asked else [index_type(name) for name in asked]
