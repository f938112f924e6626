"""The benchmark measures what it says, and leaves nothing behind."""

from __future__ import annotations

from include.bench.playlists import playlist_figures
from include.playlists.cache import PlaylistCache
from tests.integration.playlists.conftest import one_set, writing
from tests.integration.redis_server import RedisServer


def test_one_transaction_takes_a_fifth_of_the_round_trips_and_the_served_sets_stay(
    cache: PlaylistCache, redis_server: RedisServer
) -> None:
    cache.replace([one_set()], writing())
    trips, time = playlist_figures(redis_server.settings, ids=50, repeats=1)
    assert (trips.ours, trips.baseline) == (3, 42)
    assert trips.reached
    assert time.ours > 0
    assert sorted(cache.client.keys()) == [b"playlist_idx:drp_song", b"playlist_idx:meta"]
