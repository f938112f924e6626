"""``embsearch demo-faiss``: from empty tables to indexes that follow them day by day, by the DAGs, as a user would."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from include.cli.dag_runs import caused_run, finished, switch_on
from include.cli.demo_checks import check_connections, check_indexes, check_own, forget_playlists
from include.cli.session import command_session
from include.errors import InputError
from include.settings import Settings, get_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.airflow_api import AirflowApi
    from include.catalog.index_types import IndexType

app = typer.Typer()
log = logging.getLogger(__name__)

ROWS, DAYS = 3_000, 3
SONG = "song"  # the type that the demo looks at closely
DAILY = "faiss_daily_increment"
CAPTION = (
    "rows: what the indexes hold after a step; new, updated, deleted: by it; set aside: rows of the tables then that "
    "no index can hold. Rows that were committed late, or are of a later day, come with a later step."
)
DAGS = ("faiss_train", "faiss_build", "faiss_rollback", "playlist_cache")
Row = tuple[str, dict[str, Any]]  # a step and what it told of each type


@app.command("demo-faiss")
def demo_faiss(
    *,
    rows: Annotated[int, typer.Option(min=200, max=1_000_000, help="Of each table.")] = ROWS,
    types: Annotated[str, typer.Option(help="Index types by commas, song among them, or all.")] = "all",
) -> None:
    """Fill MySQL, train and build indexes, keep them fresh for three days, roll one back, cache playlists."""
    from include.catalog.index_types import index_types  # noqa: PLC0415 — help must be quick
    from include.local_stack import stack  # noqa: PLC0415
    from include.local_stack.served import served_settings  # noqa: PLC0415

    with command_session("demo-faiss", get_settings()):
        began = time.monotonic()
        kinds = index_types(types)
        if SONG not in {kind.name for kind in kinds}:
            raise InputError(f"The demo deletes a {SONG} and rolls its index back: --types {types} lacks it.")
        check_own(served_settings(get_settings()))
        stack.up(get_settings())
        settings = get_settings()
        start = last_end(datetime.now(UTC)) - timedelta(days=DAYS)
        try:
            with stack.airflow_api(settings) as api:
                check_connections(api)
                check_indexes(settings, kinds)
                fill(settings, kinds, start, rows=rows)
                forget_playlists(settings)
                log.info("Running the DAGs; watch them at %s", stack.local_airflow(settings).url)
                api.wait_for_dags({*DAGS, DAILY})
                for dag_id in DAGS:
                    api.set_paused(dag_id, paused=False)
                demo = _Demo(settings, api, start, kinds, rows)
                demo.play()
        except BaseException:
            log.info("The stack goes on running: make status, make logs, make down.")
            raise
        demo.show(time.monotonic() - began)


def last_end(now: datetime) -> datetime:
    """When the last daily interval ended."""
    from include.music_index.interval import DAILY, ZONE  # noqa: PLC0415

    today = datetime.combine(now.astimezone(ZONE).date(), DAILY, ZONE)
    return today if today <= now else today - timedelta(days=1)


def fill(settings: Settings, kinds: Sequence[IndexType], start: datetime, *, rows: int = ROWS) -> None:
    """Make the tables, and fill them with test data whose first load ends at ``start``; an earlier demo's are replaced.

    Raises:
        InputError: a table has rows that no demo has made; none is changed.
    """
    from include.mysql.schema import migrate  # noqa: PLC0415
    from include.mysql.seed_marks import DEMO  # noqa: PLC0415
    from include.mysql.seeds import seed  # noqa: PLC0415

    migrate(settings)
    log.info("Filling %s tables with %s vectors each", len(kinds), f"{rows:,}")
    try:
        seed(settings, kinds, rows=rows, start=start, maker=DEMO, replaces=(DEMO,))
    except InputError as error:
        raise InputError(f"{error} The demo replaces nothing but its own rows.") from error


class _Demo:
    """The steps, each by a DAG's run."""

    def __init__(
        self, settings: Settings, api: AirflowApi, start: datetime, kinds: Sequence[IndexType], rows: int
    ) -> None:
        from include.catalog.index_types import index_type  # noqa: PLC0415

        self._settings, self._api, self._start, self._kinds, self._count = settings, api, start, kinds, rows
        self._song: IndexType = index_type(SONG)
        self._asked = {"type": ",".join(kind.name for kind in kinds)}
        self._rows: list[Row] = []
        self._said: list[str] = []
        self._playlists: dict[str, Any] = {}

    def play(self) -> None:
        """All steps in their order."""
        self._run("faiss_train", "report", self._asked)
        self._note("built", self._run("faiss_build", "announce", self._asked))
        switch_on(self._api, DAILY, self._start + timedelta(days=DAYS))
        for day in range(1, DAYS + 1):
            self._day(day)
            if day == DAYS - 1:
                doomed = self._delete_one()
        self._said.append(
            f"song {doomed} was deleted in MySQL; after day {DAYS} a search finds {self._nearest()} instead"
        )
        before, moment = self._served(), datetime.now(UTC)
        self._note("rolled back", self._run("faiss_rollback", "announce", {"type": SONG}))
        self._said.append(f"song served {before} and, rolled back, serves {self._served()}")
        self._playlists = finished(
            self._api, "playlist_cache", caused_run(self._api, "playlist_cache", moment), "cache"
        )

    def _day(self, day: int) -> None:
        """Let a day pass over the tables, then run its increment."""
        from include.mysql.seeds import play_day  # noqa: PLC0415

        play_day(self._settings, self._kinds, day, rows=self._count, start=self._start)
        date = f"{self._start + timedelta(days=day):%Y-%m-%d}"
        self._note(f"day {date}", self._run(DAILY, "announce", {**self._asked, "date": date}))

    def _run(self, dag_id: str, task: str, conf: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = finished(self._api, dag_id, self._api.trigger(dag_id, conf), task)
        return found

    def _note(self, step: str, event: dict[str, Any]) -> None:
        self._rows.append((step, event["types"]))

    def _delete_one(self) -> int:
        """Delete a song in MySQL, whose vector the demo goes on searching."""
        from include.faiss_index.reader import IndexReader  # noqa: PLC0415
        from include.mysql.columns import quoted  # noqa: PLC0415
        from include.mysql.connection import MysqlConnection, Session  # noqa: PLC0415

        reader = IndexReader(self._settings.state_dir / "faiss" / SONG)
        doomed = int(reader.ids[len(reader.ids) // 2])
        self._query = reader.reconstruct(reader.ids[[len(reader.ids) // 2]])
        with Session(MysqlConnection.from_settings(self._settings).owned(self._settings)) as session:
            session.tell(f"DELETE FROM {quoted(self._song.table)} WHERE idx = %s", (doomed,), of=self._song.table)  # noqa: S608
        self._said.append(f"a search for the vector of song {doomed} finds {self._nearest()}")
        return doomed

    def _nearest(self) -> int:
        from include.faiss_index.reader import IndexReader  # noqa: PLC0415

        _, ids = IndexReader(self._settings.state_dir / "faiss" / SONG).search(self._query, 1)
        return int(ids[0, 0])

    def _served(self) -> str:
        return (self._settings.state_dir / "faiss" / SONG / "CURRENT").read_text(encoding="utf-8").strip()

    def show(self, wall: float) -> None:
        """What each step did to all indexes, the playlists, where Airflow is, and commands to go on with."""
        from include.cli.tables import console  # noqa: PLC0415
        from include.local_stack.airflow import USER  # noqa: PLC0415
        from include.local_stack.stack import local_airflow  # noqa: PLC0415

        console.print(steps_table(self._rows))
        for line in self._said:
            console.print(line, soft_wrap=True)
        cached = self._playlists
        sets = sum(map(len, cached["sets"].values()))
        console.print(f"{sets} playlist sets in Redis, {cached['bytes']:,} bytes, written in one transaction")
        airflow = local_airflow(self._settings)
        console.print(f"Airflow: {airflow.url}  user {USER}  password {airflow.password}")
        console.print(f"DAG {DAILY} stays switched on there: every day at 16:58 Asia/Seoul.")
        console.print("Try:")
        for line in commands(self._settings):
            console.print(f"  {line}", soft_wrap=True)
        console.print(f"Done in {wall:.0f} s. The stack is running: make status, make logs, make down.")


def steps_table(rows: list[Row]) -> Any:
    """A line a step: figures added up over the indexes, the smallest recall."""
    from include.cli.tables import whole_table  # noqa: PLC0415

    columns = ("step", "indexes", "rows", "new", "updated", "deleted", "set aside", "least recall@10")
    table = whole_table(*columns, caption=CAPTION)
    for step, types in rows:
        found = list(types.values())
        counts = (sum(each.get(name, 0) for each in found) for name in ("rows", "new", "updated", "deleted", "bad"))
        recall = min((each["recall_at_10"] for each in found if each["recall_at_10"] is not None), default=None)
        shown = "-" if recall is None else f"{recall:.3f}"
        table.add_row(step, str(len(found)), *(f"{count:,}" for count in counts), shown)
    return table


def commands(settings: Settings) -> list[str]:
    """What a newcomer may paste next."""
    embsearch = Path(".local/venvs/airflow/bin/embsearch")
    readers = settings.faiss_published_folder / "muse_vibe.index"
    return [
        f"{embsearch} faiss info --type song",
        f"{embsearch} faiss increment --type song",
        f"{embsearch} playlist show drp song",
        f"{embsearch.with_name('python')} -c \"import faiss; print(faiss.read_index('{readers}').ntotal)\"",
    ]
