"""The quality of a collection's search: measured in each mode, compared with the best that was measured before."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from include.elastic.connection import EsConnection, connect
from include.elastic.index_generations import IndexGenerations
from include.errors import ContractError, GateFailed, InputError
from include.fulltext.analysis import analysis_of
from include.fulltext.collection import standing
from include.fulltext.parameters import DocumentSearchParameters, SearchQualityParameters
from include.fulltext.places import vectors_of
from include.fulltext.quality import ALL, MEASURES, Quality, measured
from include.fulltext.relevance import RelevanceSet, read_relevance_set
from include.fulltext.runners import open_runner
from include.generations.files import write_json
from include.generations.run import Run
from include.settings import Settings
from include.vector_store.open import store_of

log = logging.getLogger(__name__)

TEXT, WITH_VECTORS = ("text",), ("text", "vector", "hybrid")
TOLD = 10  # documents and drops that a message names
LOOKED_UP = 1000  # documents in one request
SECONDS = 60.0  # of one search at least: nobody waits for it, and an index build may embed at the same time

Figures = Mapping[str, Mapping[str, Quality]]  # mode → language → quality


def evaluate(parameters: SearchQualityParameters, run: Run, settings: Settings) -> dict[str, Any]:
    """Measure the search of a collection; return the figures, small enough to travel with an event.

    The best value of each figure since the last accepted drop is kept beside the figures in ``state_dir``, so that a
    quality that slides a little every day is noticed as well. Another relevance set starts anew, with a warning.

    Raises:
        GateFailed: a figure has dropped or is below the floor; the message names each.
        InputError: the relevance set cannot be used, or there is no such collection.
        ServiceUnavailable: a server does not answer.
    """
    relevance = read_relevance_set(parameters.relevance)
    summary = _state_of_collection(parameters, relevance, settings)
    figures = {
        mode: _measured(mode, parameters, relevance, settings) for mode in _modes(parameters, settings)
    }  # fmt: skip
    log.info("%s, %d queries:\n%s", parameters.collection, len(relevance.queries), table(figures))
    summary |= {
        "date": run.date.isoformat(),
        "relevance": relevance.fingerprint,
        "queries": len(relevance.queries),
        "quality": {mode: {name: asdict(one) for name, one in each.items()} for mode, each in figures.items()},
    }
    latest = latest_figures(settings, parameters.collection)
    write_json(latest, summary)
    baseline = latest.with_name(f"baseline_{relevance.fingerprint}.json")
    best = _best(baseline)
    if not best:
        _tell_new_baseline(baseline, parameters)
    found = [*_drops(figures, best, parameters.max_drop), *_below(figures, parameters.min_ndcg)]
    if found and not parameters.accept:
        raise GateFailed(_alert(found, summary))
    if found:
        log.warning("Accepted, and what is compared with from now on: %s", "; ".join(found))
    write_json(baseline, _kept(figures, {} if parameters.accept else best))
    return summary


def latest_figures(settings: Settings, collection: str) -> Path:
    """Where the figures of the last measurement are, as JSON."""
    return settings.state_dir / "quality" / collection / "latest.json"


def table(figures: Figures) -> str:
    """The figures as lines of text: a row for each mode and language."""
    head = ("mode", "language", "queries", "recall@5", "MRR@10", "nDCG@10")
    rows = [
        (mode, name, str(one.queries), f"{one.recall:.3f}", f"{one.mrr:.3f}", f"{one.ndcg:.3f}")
        for mode, each in figures.items()
        for name, one in each.items()
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in (head, *rows))


def _measured(
    mode: str, parameters: SearchQualityParameters, relevance: RelevanceSet, settings: Settings
) -> dict[str, Quality]:
    asked = DocumentSearchParameters(
        mode=mode, collection=parameters.collection, faults="strict", model=parameters.model,
        qdrant_url=parameters.qdrant_url, kserve_url=parameters.kserve_url, es_url=parameters.es_url,
    )  # fmt: skip
    patient = max(settings.fulltext_timeout_seconds, SECONDS)
    with open_runner(asked, settings.model_copy(update={"fulltext_timeout_seconds": patient})) as runner:
        return measured(relevance.queries, runner.search)


def _modes(parameters: SearchQualityParameters, settings: Settings) -> Sequence[str]:
    """Those asked for; of ``auto`` the ones that can be searched in."""
    if parameters.modes != "auto":
        return WITH_VECTORS if parameters.modes == "all" else TEXT
    store = store_of(settings, parameters.qdrant_url)
    try:
        served = store.resolve(vectors_of(parameters.collection)) is not None
    finally:
        store.close()
    if not served:
        log.info("%s has no vectors, so only the search by words is measured.", parameters.collection)
    return WITH_VECTORS if served else TEXT


def _state_of_collection(
    parameters: SearchQualityParameters, relevance: RelevanceSet, settings: Settings
) -> dict[str, Any]:
    """What is measured, and which relevant documents it lacks."""
    with connect(EsConnection.from_settings(settings, urls=parameters.es_url)) as client:
        generations = IndexGenerations(client, parameters.collection)
        served = generations.resolve()
        if served is None:
            msg = f"No collection {parameters.collection!r} is served. Index documents first: embsearch fulltext index."
            raise InputError(msg)
        wanted = relevance.documents
        there: set[str] = set()
        for start in range(0, len(wanted), LOOKED_UP):
            there |= set(standing(client, served, wanted[start : start + LOOKED_UP]))
        missing = [document for document in wanted if document not in there]
        analysis = analysis_of(generations, served).kind
    if len(missing) == len(wanted):
        msg = (
            f"{parameters.collection} has none of the {len(wanted)} documents of {parameters.relevance}, such as "
            f"{wanted[0]!r}: give the relevance set of these documents."
        )
        raise InputError(msg)
    if missing:
        log.warning("%d relevant documents are not in %s: %s", len(missing), served, _some(missing))
    found = {"collection": parameters.collection, "generation": served, "analysis": analysis}
    return found | {"missing_documents": len(missing), "missing": missing[:TOLD]}


def _tell_new_baseline(baseline: Path, parameters: SearchQualityParameters) -> None:
    """Say that nothing was compared: as a warning when this collection was measured with another set before."""
    if any(baseline.parent.glob("baseline_*.json")):
        log.warning(
            "%s is not the relevance set that %s was measured with before (another file, or it was edited): nothing "
            "is compared, no drop can be seen, and later runs are compared with this one.",
            parameters.relevance, parameters.collection,
        )  # fmt: skip
        return
    log.info("Nothing was measured with this relevance set before: later runs are compared with this one.")


def _best(path: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Mode → language → measure → the best value so far; nothing when nothing was measured."""
    if not path.exists():
        return {}
    try:
        found: dict[str, dict[str, dict[str, float]]] = json.loads(path.read_text(encoding="utf-8"))["best"]
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{path} cannot be read ({error!r}): remove it, and the next run is what later ones are compared with."
        raise ContractError(msg) from error
    return found


def _kept(figures: Figures, best: Mapping[str, Any]) -> dict[str, Any]:
    """``best`` with what is better now, and with what was not measured before."""
    kept: dict[str, dict[str, dict[str, float]]] = {mode: dict(each) for mode, each in best.items()}
    for mode, name, measure, value in _each(figures):
        values = kept.setdefault(mode, {}).setdefault(name, {})
        values[measure] = max(value, values.get(measure, 0.0))
    return {"best": kept}


def _drops(figures: Figures, best: Mapping[str, Any], max_drop: float) -> Iterator[str]:
    for mode in best:
        if mode not in figures:
            yield f"mode {mode} was measured before and was not now"
    for mode, name, measure, value in _each(figures):
        before = best.get(mode, {}).get(name, {}).get(measure, 0.0)
        if round(before - value, 4) > max_drop:
            yield f"{mode} {name} {measure} {before:.3f} → {value:.3f}"


def _below(figures: Figures, min_ndcg: float) -> Iterator[str]:
    for mode, each in figures.items():
        if each[ALL].ndcg < min_ndcg:
            yield f"{mode} {ALL} ndcg {each[ALL].ndcg:.3f} is below the floor of {min_ndcg:g}"


def _each(figures: Figures) -> Iterator[tuple[str, str, str, float]]:
    for mode, by_language in figures.items():
        for name, one in by_language.items():
            for measure in MEASURES:
                yield mode, name, measure, float(getattr(one, measure))


def _alert(found: Sequence[str], summary: Mapping[str, Any]) -> str:
    gone = f" {summary['missing_documents']} relevant documents are gone: {_some(summary['missing'])}."
    return (
        f"The search of {summary['collection']} has become worse: {_some(found, separator='; ')}."
        f"{gone if summary['missing_documents'] else ''} The log has the whole table. Mend the documents, the analysis "
        "or the vectors, and run again; when it is meant, run once with accept."
    )


def _some(things: Sequence[str], *, separator: str = ", ") -> str:
    more = f"{separator}and {len(things) - TOLD} more" if len(things) > TOLD else ""
    return separator.join(things[:TOLD]) + more
