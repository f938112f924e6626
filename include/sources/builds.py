"""All builds of one kind: begin one or find it again, list them, drop those that nobody needs."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from include.errors import ContractError, InputError
from include.generations.files import replacing, sha256_of
from include.generations.locks import locked
from include.generations.names import generation_name, run_key
from include.generations.run import Run
from include.generations.shards import BuildFolder
from include.settings import Settings
from include.sources.addresses import same_server
from include.sources.build import UNUSABLE_FILE, Build
from include.sources.files import Source
from include.sources.plan import InputPlan, plan_input

log = logging.getLogger(__name__)

ABANDONED_SECONDS = 7 * 24 * 3600


def builds_root(settings: Settings, kind: str) -> Path:
    """Where builds of one kind live."""
    return settings.state_dir / "builds" / kind


def all_builds(settings: Settings, kind: str, alias: str) -> Iterator[Build]:
    """The builds of ``alias``, oldest first."""
    for plan in sorted(builds_root(settings, kind).glob(f"{alias}__*/plan.json")):
        try:
            build = Build.load(plan.parent)
        except InputError:  # pruned meanwhile
            continue
        yield build


def every_build(settings: Settings) -> Iterator[Build]:
    """The builds of all kinds and aliases."""
    for plan in (settings.state_dir / "builds").glob("*/*/plan.json"):
        try:
            build = Build.load(plan.parent)
        except InputError:  # pruned meanwhile
            continue
        yield build


def prune_builds(
    settings: Settings, kind: str, alias: str, *, keep: Collection[str], server: Mapping[str, str]
) -> None:
    """Drop published builds whose generation is not in ``keep``, and unfinished ones that nobody resumed for a week.

    ``server`` is the parameter that names the server, with its value, however it is written: the same alias on another
    one is not ours.
    """
    for build in all_builds(settings, kind, alias):
        given = build.facts["parameters"]
        if not all(same_server(given[name], url) for name, url in server.items()):
            continue
        abandoned = time.time() - build.touched > ABANDONED_SECONDS
        if build.generation not in keep and (build.published() is not None or abandoned):
            build.folder.remove()


def begin(
    settings: Settings,
    kind: str,
    alias: str,
    source: Source,
    run: Run,
    *,
    limit: int,
    shard_rows: int,
    facts: Mapping[str, Any],
) -> Build:
    """Plan a build, or return this run's own one to be resumed.

    Raises:
        InputError: the input cannot be used.
    """
    root = builds_root(settings, kind)
    stamp, fingerprint = source.stamp(), sha256_of(source.path)
    # The content belongs to the key: a run that is repeated over a corrected file is other work.
    run = replace(run, key=run_key(run.key, fingerprint))
    with locked(root / f".{alias}.plan.lock", purpose=f"plan {alias}", wait_seconds=600):
        for build in all_builds(settings, kind, alias):
            if build.continues(run, facts):
                log.info("Resuming %s", build.generation)
                build.mark_resumed()
                return build
        folder = BuildFolder(root, generation_name(alias, run.date, run.key))
        folder.remove()  # a plan that was interrupted
        planned = plan_input(
            source, folder.folder / "input", fingerprint=fingerprint, limit=limit, shard_rows=shard_rows
        )
        if source.stamp() != stamp:
            msg = f"{source.path} changed while it was read. Run this again when it is written."
            raise InputError(msg)
        _keep_unusable(folder, planned)
        plan = {"kind": kind, "alias": alias, "run_key": run.key, "date": run.date.isoformat(), "facts": dict(facts)}
        folder.write_plan({**plan, "input": planned.as_dict()})
        return Build.load(folder.folder)


def unless_stuck(build: Build, check: Callable[[Build], object], anew: Callable[[], Build]) -> Build:
    """``build``, or ``anew`` when it is unfinished and ``check`` raises: what it was begun with is gone for good."""
    if build.published() is not None:
        return build
    try:
        check(build)
    except (ContractError, InputError) as error:
        log.warning("%s cannot go on, so a new build is begun. %s", build.generation, error)
        return anew()
    return build


def _keep_unusable(folder: BuildFolder, planned: InputPlan) -> None:
    if not planned.unusable:
        return
    path = folder.folder / UNUSABLE_FILE
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in planned.unusable)
    log.warning("%d rows of %s are broken and skipped: see %s", len(planned.unusable), planned.path, path)
