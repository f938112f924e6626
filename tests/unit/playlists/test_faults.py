"""What servers say that a test does not start: the class decides whether to try again, the words what to do."""

from __future__ import annotations

import pytest
from redis import exceptions as refusals

from include.errors import EmbsearchError, FatalError, InputError, ServiceUnavailable
from include.playlists.faults import translated

URL = "redis://cache:6379/0"


@pytest.mark.parametrize(
    ("refusal", "kind", "said"),
    [
        (refusals.MovedError("3999 10.0.0.1:6381"), InputError, "one server of a cluster"),
        (refusals.ClusterCrossSlotError("Keys in request don't hash"), InputError, "Name a server that stands alone"),
        (refusals.BusyLoadingError("Redis is loading"), ServiceUnavailable, "still reading its data"),
        (refusals.TimeoutError("Timeout reading from socket"), ServiceUnavailable, "does not answer (Timeout reading"),
        (refusals.ResponseError("unknown command {MSET}"), FatalError, "unknown command {MSET}."),
    ],
)  # fmt: skip
def test_each_refusal_has_its_class_and_its_words(refusal: Exception, kind: type[EmbsearchError], said: str) -> None:
    with pytest.raises(kind) as raised, translated(URL, "write 3 sets"):
        raise refusal
    assert str(raised.value).startswith(f"Redis at {URL}: cannot write 3 sets: ")
    assert said in str(raised.value)


def test_the_values_that_were_sent_are_not_repeated() -> None:
    error = refusals.ResponseError("Command # 1 (SET key secret) of pipeline caused error: ERR no")
    with pytest.raises(FatalError) as raised, translated(URL, "write"):
        raise error
    assert str(raised.value) == f"Redis at {URL}: cannot write: ERR no."


def test_that_a_watched_key_has_changed_is_no_failure() -> None:
    with pytest.raises(refusals.WatchError), translated(URL, "write"):
        raise refusals.WatchError("Watched variable changed.")
