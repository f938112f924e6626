"""Documents into their collection: what is new or changed is written, a new generation only where one is needed.

One run or deletion at a time works on a collection; its readers see each document change in one step.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from elasticsearch import Elasticsearch

from include.elastic.bulk import BulkCounts, BulkWriter
from include.elastic.connection import EsConnection, connect
from include.elastic.dead_letters import dead_ids
from include.elastic.document_id import document_id
from include.elastic.documents import Document
from include.elastic.index_generations import KIND, IndexGenerations
from include.elastic.ledger import Ledger, key_of, ledger_file
from include.elastic.locks import writing_index
from include.elastic.paging import every
from include.elastic.promotion import Written, finalised
from include.elastic.removal import Removed, remove_documents
from include.elastic.replay import dead_letter_folder
from include.elastic.verify import verify
from include.errors import ContractError, GateFailed
from include.fulltext.analysis import ANALYSIS, AUTO, Analysis, choose
from include.fulltext.chunkers import chunker_for
from include.fulltext.documents import Columns
from include.fulltext.entries import EntryMaker, largest_entry
from include.fulltext.filling import UNCHANGED, Filling
from include.fulltext.losing import refuse_losing, refuse_unread
from include.fulltext.mapping import CHUNKING, HELD, document_mapping, index_limits
from include.fulltext.parameters import DocumentIndexParameters
from include.fulltext.places import collection_folder
from include.fulltext.reading import read_documents
from include.fulltext.set_aside import tell_set_aside
from include.generations.counts import Counts
from include.generations.names import generation_name
from include.generations.promotion import refuse_older, refuse_shrinking
from include.generations.run import Run
from include.settings import Settings

log = logging.getLogger(__name__)

PARAMETERS = DocumentIndexParameters


def index_documents(parameters: DocumentIndexParameters, run: Run, settings: Settings) -> dict[str, Any]:
    """Bring the collection up to the input; return the figures, small enough to travel with an event.

    Without an index, when asked to, or when texts are to be cut or taken apart in another way, a new generation is
    filled beside the served one, checked, and served. Else the served one is changed: only documents whose text, title
    or metadata changed are written.

    Raises:
        InputError: the input, the analysis or the chunking cannot be used, or documents would go unread.
        GateFailed: too many documents would go, or the index is not what was written.
        ContractError: the name serves something else, or a newer run has written.
        ServiceUnavailable: Elasticsearch does not answer; run it again.
        Busy: another run holds the collection for an hour.
    """
    with (
        connect(EsConnection.from_settings(settings, urls=parameters.es_url)) as client,
        writing_index(settings, parameters.collection, purpose=f"index {parameters.collection}", alone=True),
    ):
        return _Indexing(parameters, run, settings, client).work()


@dataclass
class _Indexing:
    """One run."""

    parameters: DocumentIndexParameters
    run: Run
    settings: Settings
    client: Elasticsearch
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.generations = IndexGenerations(self.client, self.parameters.collection)
        self.folder = collection_folder(self.settings, self.parameters.collection)
        self.ledger = Ledger(ledger_file(self.settings, self.parameters.collection))
        self.name = generation_name(self.parameters.collection, self.run.date, self.run.key)
        self.version = int(self.run.date.timestamp() * 1000)

    def work(self) -> dict[str, Any]:
        self.generations.refuse_foreign(HELD, unknown=True)
        served = self.generations.resolve()
        meta = self.generations.meta(served) if served else {}
        maker = self._maker(meta)
        anew = self._reason_to_build(served, meta, maker)
        if anew:
            log.info("a new index is filled: %s", anew)
            self._begin(served, maker)
        index = self.name if anew or served is None else served
        filling = self._filling(maker, index)
        writer = BulkWriter(
            self.client, index, run_id=self.name, dead_letters=dead_letter_folder(self.settings),
            version=self.version, in_flight=self.parameters.workers,
        )  # fmt: skip
        written = writer.write(filling.entries())
        counts, chunks = _counts(filling, written, self.parameters.input), filling.chunks  # of this pass, both
        if served and (anew or self.parameters.delete_missing):
            refuse_unread(self.client, served, filling.seen, filling.set_aside)
        removed = self._remove(filling, index, others=bool(anew) or self.parameters.delete_missing, new=bool(anew))
        if anew and served and not (self.parameters.rebuild or self.parameters.delete_missing):
            refuse_losing(self.client, served, filling.spoken, why=anew)
        gate = self._serve(filling, writer, counts, served) if anew else self._check(filling, index)
        self.ledger.note(filling.spoken, self.version)
        return self._summary(
            filling,
            counts,
            chunks=chunks,
            generation=index,
            previous=served,
            built=anew,
            gate=gate,
            deleted=removed.deleted,
        )

    def _maker(self, meta: dict[str, Any]) -> EntryMaker:
        chunker = chunker_for(self.parameters, self.settings, served=meta.get(CHUNKING))
        asked = self.parameters.analysis
        if asked == AUTO and ANALYSIS in meta and not self.parameters.rebuild:
            analysis = Analysis.from_meta(meta[ANALYSIS])
            log.info("analysis: %s, as the served index has it", analysis.kind)
        else:
            language, tokenizer = self.parameters.language, self.settings.fulltext_tokenizer
            analysis = choose(self.client, language, asked, tokenizer)
        return EntryMaker(analysis, chunker, self.settings.fulltext_max_chunks, largest_entry(self.client))

    def _reason_to_build(self, served: str | None, meta: dict[str, Any], maker: EntryMaker) -> str:
        if served == self.name:  # this run itself made it before it was interrupted
            return ""
        if served is None:
            return "none is served yet"
        if self.parameters.rebuild:
            return "it was asked for"
        changed = [key for key, value in maker.meta().items() if meta.get(key) != value]
        return f"another {' and another '.join(changed)}" if changed else ""

    def _begin(self, served: str | None, maker: EntryMaker) -> None:
        """Create the generation; what an interrupted try of this run wrote into it stays."""
        if served is None:
            self.ledger.clear()
        refuse_older(self.generations.alias, served, self.name)
        newest = self.ledger.newest()
        if newest is not None and newest > self.version:
            msg = (
                f"A later run has written into {self.generations.alias} already, so this one cannot replace it. "
                "Start a new run."
            )
            raise ContractError(msg)
        self.generations.create(
            self.name, document_mapping(maker.analysis), shards=self.settings.es_shards,
            replicas=self.settings.es_replicas, bulk_load=True, meta={KIND: HELD, **maker.meta()},
            limits=index_limits(max_chunks=self.settings.fulltext_max_chunks),
        )  # fmt: skip

    def _filling(self, maker: EntryMaker, index: str) -> Filling:
        asked = self.parameters
        columns = Columns(asked.id_column, asked.title_column, asked.text_column, asked.metadata_column)
        max_bytes = self.settings.fulltext_max_document_mb * 1_000_000
        read = partial(read_documents, asked.input, columns, max_bytes=max_bytes)
        return Filling(read, maker, self.client, index, self.version, self.ledger, max_bytes)

    def _remove(self, filling: Filling, index: str, *, others: bool, new: bool) -> Removed:
        """Take out what has no text any more and, with ``others``, what the input has not."""
        gone = list(filling.emptied)
        if others:
            self.generations.refresh(index)
            gone += self._missing(filling, index, new=new)
        if not gone:
            return Removed()
        self.ledger.note(map(key_of, gone), self.version)
        return remove_documents(self.client, index, map(document_id, gone), version=self.version)

    def _missing(self, filling: Filling, index: str, *, new: bool) -> list[str]:
        listed = (str(one["document_id"]) for one in every(self.client, index, ["document_id"]))
        missing = [one for one in listed if key_of(one) not in filling.seen]
        if not missing or new:
            return missing
        if any(not one.identified for one in filling.set_aside):
            log.warning("Some documents of the input cannot be read at all, so none is deleted for not being there.")
            return []
        before = self.generations.count(index)
        if before - len(missing) < self.parameters.min_share * before:
            msg = (
                f"The input lacks {len(missing):,} of the {before:,} documents of {self.generations.alias}: fewer than "
                f"the share of {self.parameters.min_share:g} that min_share asks for would stay, so none is deleted. "
                "When that is meant, run again with min_share 0."
            )
            raise GateFailed(msg)
        newer = self.ledger.newer([key_of(one) for one in missing], self.version)
        return [one for one in missing if key_of(one) not in newer]

    def _serve(self, filling: Filling, writer: BulkWriter, counts: Counts, served: str | None) -> dict[str, Any]:
        """Check the new generation and give it the name."""
        there = counts.written + counts.skipped.get(UNCHANGED, 0)
        before = self.generations.count(served) if served else 0
        refuse_shrinking(self.name, there, before, min_share=self.parameters.min_share, limit=0)
        if not there:
            msg = f"{self.parameters.input}: none of {counts.read} documents could be indexed, so no index is served."
            raise GateFailed(msg)
        written = Written(
            there,
            sample=lambda: self._sample(filling),
            send_again=lambda: writer.write(filling.entries()),
            version=self.version,
        )
        gate = finalised(self.generations, self.name, written)
        self.generations.promote(self.name)
        self.generations.prune(keep=self.settings.keep_generations)
        return asdict(gate)

    def _check(self, filling: Filling, index: str) -> dict[str, Any]:
        """Make what was written visible and read some of it back."""
        self.generations.refresh(index)
        return asdict(verify(self.client, index, self._sample(filling), version=self.version))

    def _sample(self, filling: Filling) -> list[Document]:
        dead = dead_ids(dead_letter_folder(self.settings), self.name)
        return [one for one in filling.sample if one.id not in dead]

    def _summary(self, filling: Filling, counts: Counts, **more: Any) -> dict[str, Any]:
        """The figures; ``more`` are those of the steps."""
        return {
            "collection": self.generations.alias,
            "run": self.name,
            **more,
            **filling.maker.meta(),
            "documents": self.generations.count(self.generations.alias),
            "counts": counts.as_dict(),
            "changed": bool(counts.written or more["deleted"] or more["built"]),
            "seconds": {"wall": round(time.monotonic() - self.began, 2)},
            **tell_set_aside(filling.set_aside, self.folder),
        }


def _counts(filling: Filling, written: BulkCounts, what: str) -> Counts:
    skipped = filling.skipped + type(filling.skipped)(written.skipped)
    return Counts(filling.documents, written.indexed, dict(skipped), written.dead).check(what)
