"""What the jobs over the indexes may be asked."""

from __future__ import annotations

import pytest

from include.catalog.index_types import INDEX_TYPES
from include.errors import InputError
from include.music_index.parameters import (
    FaissBuildParameters,
    FaissIncrementParameters,
    FaissInfoParameters,
    FaissRebuildParameters,
    FaissRollbackParameters,
    FaissTrainParameters,
    types_of,
)


def names(**values: object) -> list[str]:
    return [kind.name for kind in types_of(FaissTrainParameters.checked(values))]


def test_the_documented_jobs_take_the_documented_parameters() -> None:
    documented = {"model", "type", "output", "dimension"}
    assert documented < set(FaissTrainParameters.schemas())
    assert documented | {"input"} < set(FaissBuildParameters.schemas())
    assert documented < set(FaissRebuildParameters.schemas())


def test_all_types_are_meant_unless_some_are_named() -> None:
    assert names() == list(INDEX_TYPES)
    assert names(type="artist, song") == ["artist", "song"]


def test_a_model_stands_for_the_types_whose_vectors_it_made() -> None:
    assert names(model="clap") == ["song", "lyrics_summary"]
    assert names(type="song", model="clap") == ["song"]
    with pytest.raises(InputError, match=r"The vectors of song are made by clap, not by bgem3"):
        names(type="artist,song", model="bgem3")


def test_a_roll_back_has_no_type_unless_one_is_named() -> None:
    with pytest.raises(InputError, match=r"No index type is named. There are: song, .* or all"):
        types_of(FaissRollbackParameters.checked({}))
    with pytest.raises(InputError, match=r"(?s)Invalid input for param type: .*must be given"):
        FaissRollbackParameters.checked({"type": ""})
    assert len(types_of(FaissRollbackParameters.checked({"type": "all"}))) == len(INDEX_TYPES)


@pytest.mark.parametrize(
    ("form", "name", "value"),
    [
        (FaissTrainParameters, "type", "songs"),
        (FaissTrainParameters, "model", "clip"),
        (FaissTrainParameters, "kind", "hnsw"),
        (FaissTrainParameters, "dimension", -1),
        (FaissIncrementParameters, "date", "yesterday"),
        (FaissIncrementParameters, "overlap_hours", -1),
        (FaissIncrementParameters, "min_share", 2),
        (FaissRollbackParameters, "version", "../song"),
        (FaissInfoParameters, "check", "maybe"),
        (FaissInfoParameters, "force", True),
    ],
)
def test_what_cannot_be_meant_is_refused(form: type[FaissTrainParameters], name: str, value: object) -> None:
    with pytest.raises(InputError):
        types_of(form.checked({name: value}))
