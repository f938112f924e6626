"""Which generation of keyword vectors is served: a build takes the name, a roll back gives it back, what is old goes.

All of it under one lock for each name, so that nothing is dropped that a roll back serves in the same moment.
"""

from __future__ import annotations

from include.elastic.linked_keywords import linked_keywords
from include.generations.locks import taking_name
from include.generations.names import alias_of
from include.generations.promotion import refuse_older, refuse_shrinking
from include.settings import Settings
from include.sources.build import Build
from include.sources.builds import all_builds, builds_root, prune_builds
from include.vector_store.protocol import KeywordStore

KIND = "keyword-vectors"


def take_name(build: Build, store: KeywordStore, settings: Settings) -> str | None:
    """Switch the alias to the build's generation and drop what is too old; return what the alias named before.

    Raises:
        GateFailed: it is much smaller than what is served.
        ContractError: a newer generation is served already.
        Busy: another build, or a roll back, holds the name for ten minutes.
    """
    with taking_name(build.folder.root, build.alias, purpose=f"publish {build.generation}"):
        served = store.resolve(build.alias)
        refuse_older(build.alias, served, build.generation)  # again: another may have ended meanwhile
        refuse_smaller(build, store)
        previous = build.previous(served)
        store.promote(build.alias, build.generation)
        _prune(build, store, settings)
    return previous


def roll_back(store: KeywordStore, collection: str, settings: Settings, to: str | None = None) -> str:
    """Serve ``to``, or else the newest generation before the served one; return its name.

    Raises:
        InputError: there is none to go back to.
        Busy: a build holds the name for ten minutes.
    """
    with taking_name(builds_root(settings, KIND), collection, purpose=f"roll back {collection}"):
        return store.rollback(collection, to)


def refuse_smaller(build: Build, store: KeywordStore) -> None:
    """Let no build replace a much larger generation.

    Raises:
        GateFailed: it has less than the parameter ``min_share`` of the rows that are served.
    """
    served = store.resolve(build.alias)
    ours = served is not None and alias_of(served) == build.alias
    served_rows = store.info(served).points if served is not None and ours else 0
    asked, rows = build.facts["parameters"], build.input.rows
    limit = asked["limit"] if build.input.cut_by_limit else 0
    refuse_shrinking(build.generation, rows, served_rows, min_share=asked["min_share"], limit=limit)


def _prune(build: Build, store: KeywordStore, settings: Settings) -> None:
    """Drop what is too old, and first of all what was never served, which must push out none that was."""
    sealed = store.generations(build.alias)
    for other in all_builds(settings, KIND, build.alias):
        if other.generation in sealed and other.generation < build.generation and not other.took_name:
            store.drop(other.generation)
    if (linked := linked_keywords(settings)) is not None:  # those that daily runs still link to
        store.prune(build.alias, keep=settings.keep_generations, needed=linked)
    server = {"qdrant_url": build.facts["parameters"]["qdrant_url"]}
    prune_builds(settings, KIND, build.alias, keep=store.generations(build.alias), server=server)
