"""Real tables, a real index, a real Redis: what the command and the reader make of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from include.catalog.index_types import INDEX_TYPES
from include.errors import ContractError
from include.faiss_index.build import build
from include.faiss_index.manifest import Origin
from include.faiss_index.recipe import choose
from include.faiss_index.training import train
from include.faiss_index.versions import IndexFolder
from include.generations.run import Run
from include.generations.vectors import VectorRows
from include.local_stack.served import task_environment
from include.mysql.embedding_table import open_embedding_table
from include.mysql.schema import migrate
from include.playlists.parameters import PlaylistCacheParameters
from include.playlists.reader import open_reader
from include.playlists.workflow import cache_playlists
from include.settings import PROJECT_ROOT, Settings
from tests.integration.mariadb_server import MariadbDatabase
from tests.integration.playlists.conftest import DAY_1
from tests.integration.redis_server import PASSWORD, RedisServer

KIND = INDEX_TYPES["song"]
SONGS = 40
LATE = "its row came after the index"


@dataclass
class Chain:
    database: MariadbDatabase
    settings: Settings

    def add(self, song: str, row: int, *, deleted: bool = False) -> None:
        vector = np.random.default_rng(row).standard_normal(KIND.dimension).astype("<f4").tobytes()
        moment = datetime(2026, 11, 20) if deleted else None  # noqa: DTZ001 — as the column holds it
        statement = f"INSERT INTO {KIND.table} (idx, song_id, embedding, deleted_at) VALUES (%s, %s, %s, %s)"
        self.database.tell(statement, (row, song, vector, moment))

    def play(self, program: str, *songs: str) -> None:
        statement = f"INSERT INTO tb_song_{program}_m (song_id) VALUES (%s)"
        self.database.tell_backup(statement, [(song,) for song in songs], many=True)

    def index(self) -> IndexFolder:
        """An index of the rows there are."""
        folder = IndexFolder(self.settings.state_dir / "faiss" / KIND.name, KIND.name)
        with open_embedding_table(self.settings, KIND) as table:
            (page,) = table.pages()
        recipe = choose(page.read, KIND.dimension, memory_budget_bytes=1 << 30, kind="flat")
        with folder.alone("build") as alone:
            build(alone, train(page.rows, recipe), [page.rows], Origin(key="run", day=date(2026, 11, 20)))
        return folder

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "include.cli.main", *words],
            cwd=PROJECT_ROOT, env={**os.environ, "COLUMNS": "200", **task_environment(self.settings)},
            text=True, encoding="utf-8", stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture
def chain(database: MariadbDatabase, redis_server: RedisServer, tmp_path: Path) -> Chain:
    """Songs with a row each, one with two, one deleted, one indexed too late."""
    places = {"state_dir": tmp_path / "state", "log_dir": tmp_path / "logs", "local_dir": tmp_path / "local"}
    found = Chain(database, database.settings(redis_url=redis_server.service.url, redis_password=PASSWORD, **places))
    with redis_server.client() as client:
        client.flushdb()
    migrate(found.settings)
    for number in range(SONGS):
        found.add(f"song-{number}", 10 + 7 * number)
    found.add("song-0", 5)
    found.add("song-1", 6, deleted=True)
    found.index()
    found.add(LATE, 1000)
    found.play("drp", "song-0", "song-1", "song-39", LATE, "nobody's")
    found.play("fgy", "song-39", "song-39")
    return found


def test_the_command_writes_what_the_tables_and_the_index_say_and_shows_it(chain: Chain) -> None:
    said = chain.command("playlist", "cache")
    assert "read 7 = written 5 + skipped (1 no row, 1 not in the index); 20 bytes as int32" in said
    assert "song: 1 no row, such as nobody's; 1 not in the index, such as 1000" in said
    assert "No index is served yet of: lyrics_summary, artist, " in said
    with open_reader(chain.settings) as reader:
        assert reader.read("drp", "song").tolist() == [5, 10, 17, 10 + 7 * 39]
        assert reader.read("fgy", "song").tolist() == [10 + 7 * 39]
        assert reader.read("rtc", "song").tolist() == []
    version = IndexFolder(chain.settings.state_dir / "faiss" / "song", "song").served_name()
    assert version
    shown = chain.command("playlist", "show", "drp", "song")
    assert all(words in shown for words in (version, "5, 10, 17, 283", "int32"))


def test_all_runs_of_a_day_are_in_the_documented_log(chain: Chain) -> None:
    for _ in range(2):
        said = chain.command("playlist", "cache", "--types", "song", "--programs", "drp")
    (log,) = (chain.settings.log_dir / "cache_playlist").iterdir()
    assert f"Log: {log}" in said
    assert re.fullmatch(r"cache_playlist_\d{8}\.log", log.name)
    text = log.read_text(encoding="utf-8")
    assert text.count("without a row: nobody's; not in the index: 1000") == 2
    assert PASSWORD not in text


def test_an_index_whose_list_of_ids_was_damaged_is_refused_and_the_sets_stay(chain: Chain) -> None:
    run = Run("key", DAY_1)
    cache_playlists(PlaylistCacheParameters(), run, chain.settings)
    ids = next((chain.settings.state_dir / "faiss" / "song" / "versions").glob("*/ids.npy"))
    ids.chmod(0o644)
    content = bytearray(ids.read_bytes())
    content[-8] ^= 1
    ids.write_bytes(content)
    with pytest.raises(ContractError, match=r"ids\.npy has changed since it was written.*faiss_rebuild"):
        cache_playlists(PlaylistCacheParameters(), run, chain.settings)
    with open_reader(chain.settings) as reader:
        assert len(reader.read("drp", "song")) == 4


def test_vectors_are_read_by_the_same_ids_that_the_sets_hold(chain: Chain) -> None:
    cache_playlists(PlaylistCacheParameters(), Run("key", DAY_1), chain.settings)
    with open_reader(chain.settings) as reader, open_embedding_table(chain.settings, KIND) as table:
        ids = reader.read("drp", "song")
        (page,) = table.rows_of(ids)
    served = IndexFolder(chain.settings.state_dir / "faiss" / "song", "song").current()
    assert served
    _, found = served.open().search(VectorRows(page.rows.ids, page.rows.vectors).vectors, 1)
    assert found[:, 0].tolist() == ids.tolist()
