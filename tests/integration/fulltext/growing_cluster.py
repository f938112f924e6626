"""A real Elasticsearch that has other analyzers after a restart, over the same data, as when plugins are installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from include.local_stack.elasticsearch import ElasticsearchHome
from include.settings import Settings
from tests.conftest import settings_in
from tests.integration.elasticsearch_plugin import AnalysisPlugin, Parts
from tests.integration.elasticsearch_server import ElasticsearchServer
from tests.integration.fulltext.library import Library

# All but the first stand for the names alone: see the source.
_CLASSES = {
    "cjk": "Pairs",
    "ik_max_word": "NamedIkMaxWord",
    "ik_smart": "NamedIkSmart",
    "kuromoji": "NamedKuromoji",
    "smartcn": "NamedSmartcn",
}


def _parts(names: Sequence[str]) -> Parts:
    return {"AnalyzerFactory": {name: f"embsearch.Analyzers${_CLASSES[name]}" for name in names}}


PLUGIN = AnalysisPlugin(
    name="embsearch-analyzers",
    description="Analyzers that stand for the names of others",
    source=Path(__file__).with_name("plugin") / "Analyzers.java",
    parts=_parts(tuple(_CLASSES)),
)


@dataclass
class GrowingCluster:
    """One node, which does not run before :meth:`having`."""

    server: ElasticsearchServer
    distribution: Path
    names: tuple[str, ...] = ()

    @classmethod
    def at(cls, folder: Path, home: ElasticsearchHome) -> Self:
        home = PLUGIN.added_to(home, folder, Settings())
        return cls(ElasticsearchServer.at(folder, home), home.distribution)

    def having(self, *names: str) -> Self:
        """With these analyzers beside the core's own; it is started again when it has others."""
        if names != self.names:
            self.server.stop()
            PLUGIN.register(self.distribution, _parts(names))
            self.server.start()
            self.names = names
        return self

    def library(self, folder: Path, documents: dict[str, str], **values: Any) -> Library:
        """A collection of ``documents``, indexed."""
        settings = settings_in(folder).model_copy(update={"es_url": self.server.service.url})
        library = Library(settings, folder, f"library-{uuid4().hex[:8]}")
        library.write(documents)
        assert library.index(**values)["counts"]["written"] == len(documents)
        return library
