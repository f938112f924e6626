"""What readers of the playlist sets rely on, on a real Redis."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import numpy as np
import pytest

from include.errors import ContractError, GateFailed, InputError
from include.playlists.cache import PlaylistCache, PlaylistSet
from include.playlists.connection import connected
from include.playlists.meta import Meta
from include.playlists.parameters import Encoding
from include.playlists.reader import PlaylistReader
from tests.integration.playlists.conftest import ALL_SETS, DAY_1, DAY_2, one_set, stamped, writing
from tests.integration.redis_server import RedisServer


def value(cache: PlaylistCache, key: str) -> bytes | None:
    found = cache.client.get(key)
    assert found is None or isinstance(found, bytes)
    return found


@pytest.mark.parametrize(
    ("encoding", "bytes_"),
    [
        ("int32", bytes([1, 0, 0, 0, 5, 0, 0, 0, 0, 1, 0, 0])),
        ("int64", bytes([1, *[0] * 7, 5, *[0] * 7, 0, 1, *[0] * 6])),
        ("json", b"[1,5,256]"),
    ],
)
def test_a_set_stands_at_its_documented_key_for_ever_and_is_read_back_the_same(
    cache: PlaylistCache, reader: PlaylistReader, encoding: Encoding, bytes_: bytes
) -> None:
    cache.replace([one_set(ids=[1, 5, 256])], writing(encoding=encoding))
    assert value(cache, "playlist_idx:drp_song") == bytes_
    assert cache.client.ttl("playlist_idx:drp_song") == cache.client.ttl("playlist_idx:meta") == -1
    assert reader.read("drp", "song").tolist() == [1, 5, 256]


def test_sets_of_different_encodings_stand_side_by_side(cache: PlaylistCache, reader: PlaylistReader) -> None:
    cache.replace([one_set("drp", ids=[2**40])], writing(encoding="int64"))
    cache.replace([one_set("fgy"), one_set("k2k", ids=[])], writing(encoding="json"))
    assert [reader.read(program, "song").tolist() for program in ("drp", "fgy", "k2k")] == [[2**40], [1, 5, 9], []]


def test_the_meta_tells_of_each_set_its_size_encoding_index_and_run(cache: PlaylistCache) -> None:
    cache.replace([one_set("drp", "lyrics_3_slide", version="lyrics_3_slide__v7")], writing(DAY_2, "int64"))
    told = json.loads(value(cache, "playlist_idx:meta") or b"")
    assert list(told["sets"]) == ["drp_lyrics_3_slide"]
    facts = told["sets"]["drp_lyrics_3_slide"]
    assert (facts["ids"], facts["encoding"], facts["index_version"]) == (3, "int64", "lyrics_3_slide__v7")
    assert datetime.fromisoformat(facts["run_date"]) == DAY_2


def test_readers_see_all_of_the_old_sets_or_all_of_the_new(cache: PlaylistCache, redis_server: RedisServer) -> None:
    cache.replace(stamped(0), writing())
    over, seen = threading.Event(), [set[int]() for _ in range(3)]

    def look(mine: set[int]) -> None:
        with connected(redis_server.connection) as client:
            reader = PlaylistReader(PlaylistCache(client, redis_server.connection))
            while not over.is_set():
                found = reader.read_with_info(ALL_SETS)
                stamps = {int(ids[0]) // 1000 for ids, _ in found}
                assert len(stamps) == 1
                assert {info.index_version for _, info in found} == {f"v{stamp}" for stamp in stamps}
                mine |= stamps

    with ThreadPoolExecutor(len(seen)) as pool:
        looking = [pool.submit(look, mine) for mine in seen]
        try:
            stamp, deadline = 0, time.monotonic() + 60
            while min(map(len, seen)) < 5 and time.monotonic() < deadline and not any(f.done() for f in looking):
                stamp += 1
                cache.replace(stamped(stamp), writing())
        finally:
            over.set()
        for each in looking:
            each.result(timeout=30)
    assert min(map(len, seen)) >= 5


def test_sets_that_are_no_more_go_in_the_same_transaction_and_all_others_stay(
    cache: PlaylistCache, reader: PlaylistReader
) -> None:
    cache.replace([one_set("drp"), one_set("old"), one_set("fgy")], writing())
    done = cache.replace([one_set("drp", ids=[2, 3])], writing(outdated=lambda program, _kind: program == "old"))
    assert done.deleted == ["playlist_idx:old_song"]
    assert value(cache, "playlist_idx:old_song") is None
    assert set(cache.meta().sets) == {"drp_song", "fgy_song"}
    assert reader.read("fgy", "song").tolist() == [1, 5, 9]


def test_keys_of_an_earlier_writer_without_meta_are_replaced_or_taken_away(
    cache: PlaylistCache, reader: PlaylistReader
) -> None:
    cache.client.rpush("playlist_idx:drp_song", 1, 2)
    cache.client.set("playlist_idx:gone_song", "[1]")
    cache.client.set("other:drp_song", "mine")
    cache.replace([one_set("drp")], writing(outdated=lambda program, _kind: program == "gone"))
    assert sorted(cache.client.keys()) == [b"other:drp_song", b"playlist_idx:drp_song", b"playlist_idx:meta"]
    assert reader.read("drp", "song").tolist() == [1, 5, 9]


def test_an_older_run_replaces_nothing_and_the_same_run_again_does(
    cache: PlaylistCache, reader: PlaylistReader
) -> None:
    cache.replace([one_set(ids=[1, 2])], writing(DAY_2))
    with pytest.raises(ContractError, match=r"drp_song was written by the run of 2026-11-21 08:00:00\+00:00, which is"):
        cache.replace([one_set("fgy"), one_set(ids=[3, 4])], writing(DAY_1))
    assert set(cache.meta().sets) == {"drp_song"}
    cache.replace([one_set(ids=[5, 6])], writing(DAY_2))
    assert reader.read("drp", "song").tolist() == [5, 6]
    cache.replace([one_set("fgy")], writing(DAY_1))  # of other sets
    assert set(cache.meta().sets) == {"drp_song", "fgy_song"}


def test_a_set_much_smaller_than_the_served_one_is_refused_with_all_others(
    cache: PlaylistCache, reader: PlaylistReader
) -> None:
    cache.replace([one_set("drp", ids=range(10)), one_set("fgy", ids=range(10))], writing())
    with pytest.raises(GateFailed, match="playlist_idx:fgy_song has 4 rows, served are 10: .* with min_share 0"):
        cache.replace([one_set("drp", ids=range(9)), one_set("fgy", ids=range(4))], writing(DAY_2))
    assert len(reader.read("drp", "song")) == 10
    cache.replace([one_set("fgy", ids=[])], writing(DAY_2, min_share=0))
    assert reader.read("fgy", "song").tolist() == []


def test_an_id_too_large_for_the_encoding_is_told_with_the_setting_before_anything_is_sent(
    cache: PlaylistCache,
) -> None:
    with pytest.raises(InputError, match="fgy_song: id 2147483648 .*EMBSEARCH_PLAYLIST_ENCODING=int64"):
        cache.replace([one_set("drp"), one_set("fgy", ids=[1, 2**31])], writing())
    assert cache.client.dbsize() == 0


def test_sets_that_somebody_else_writes_in_between_are_looked_at_again(
    cache: PlaylistCache, reader: PlaylistReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, others = PlaylistCache._check, [one_set("fgy", ids=[7])]

    def check_and_be_overtaken(self: PlaylistCache, meta: Meta, sets: Sequence[PlaylistSet], how: object) -> None:
        check(self, meta, sets, how)  # type: ignore[arg-type]
        if others:
            self.replace([others.pop()], writing(DAY_2))

    monkeypatch.setattr(PlaylistCache, "_check", check_and_be_overtaken)
    cache.replace([one_set("drp")], writing(DAY_1))
    assert set(cache.meta().sets) == {"drp_song", "fgy_song"}
    others.append(one_set("drp", ids=[8, 9]))
    with pytest.raises(ContractError, match="newer than this one"):
        cache.replace([one_set("drp")], writing(DAY_1))
    assert reader.read("drp", "song").tolist() == [8, 9]


def test_what_is_not_there_is_told_with_what_is(cache: PlaylistCache, reader: PlaylistReader) -> None:
    with pytest.raises(
        InputError, match="playlist_idx:drp_song is not in the cache. There are: none. Run playlist_cache"
    ):
        reader.read("drp", "song")
    cache.replace([one_set("fgy")], writing())
    with pytest.raises(InputError, match="There are: fgy_song"):
        reader.read("drp", "song")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (b"", "drp_song holds 0 ids, and 3 were written"),
        (b"12345", "drp_song does not hold ids as int32"),
        (None, "drp_song is gone, and 3 were written"),
    ],
)
def test_a_value_that_somebody_else_changed_is_not_passed_on(
    cache: PlaylistCache, reader: PlaylistReader, damage: bytes | None, said: str
) -> None:
    cache.replace([one_set()], writing())
    cache.client.delete("playlist_idx:drp_song")
    if damage is not None:
        cache.client.set("playlist_idx:drp_song", damage)
    with pytest.raises(ContractError, match=f"playlist_idx:{said}.*Run playlist_cache"):
        reader.read("drp", "song")
    cache.replace([one_set()], writing())
    assert np.array_equal(reader.read("drp", "song"), [1, 5, 9])


def test_a_damaged_meta_stops_readers_and_writers_with_what_to_do(cache: PlaylistCache, reader: PlaylistReader) -> None:
    cache.replace([one_set()], writing())
    cache.client.set("playlist_idx:meta", '{"sets": {"drp_song": {"ids": "many"}}}')
    for work in (lambda: reader.read("drp", "song"), lambda: cache.replace([one_set()], writing())):
        with pytest.raises(
            ContractError, match=r"playlist_idx:meta in Redis is damaged \(sets\.drp_song\.ids: .*Delete"
        ):
            work()
    cache.client.delete("playlist_idx:meta")
    cache.replace([one_set()], writing())
    assert len(reader.read("drp", "song")) == 3
