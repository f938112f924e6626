"""# Playlists kept ready in Redis

For each radio programme and index type: the ids that the programme's songs have in the served index.

**Input:** the tables `tb_song_<programme>_m` of the backup MySQL, the embedding tables, the served FAISS indexes.
**Output:** keys `playlist_idx:<programme>_<type>` and `playlist_idx:meta` in Redis, without an end of life. They change
in one transaction: a reader sees all of the old sets or all of the new ones.

Runs by hand with the form, or when a new FAISS index is served. Sets of programmes and types that a run was not asked
for stay as they are. Songs without a row and ids that the index lacks are counted, and named in the task's log.

**When it fails:** the sets written before stay. Read the error in the log of the task, mend the cause, clear the task.
A set that shrank by more than `min_share` allows is refused: when that is meant, run it by hand with `min_share` 0.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.playlists.parameters import PlaylistCacheParameters
from search_ops.assets import FAISS_INDEX, PLAYLIST_CACHE
from search_ops.defaults import DEFAULT_ARGS, POOL_REDIS
from search_ops.forms import form
from search_ops.operators.playlists import PlaylistCacheOperator

with DAG(
    "playlist_cache",
    schedule=[FAISS_INDEX],
    params=form(PlaylistCacheParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["playlists", "faiss", "redis"],
    doc_md=__doc__,
):
    PlaylistCacheOperator(task_id="cache", pool=POOL_REDIS, outlets=[PLAYLIST_CACHE])
