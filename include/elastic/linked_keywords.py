"""Which keywords the served links lead to: an index of links says so in its ``_meta``.

Daily runs link to these, so that they, and the model that made them, are needed until all products are linked anew.
"""

from __future__ import annotations

import logging

from elasticsearch import Elasticsearch

from include.elastic.connection import EsConnection, connect
from include.elastic.index_generations import IndexGenerations
from include.errors import EmbsearchError
from include.settings import Settings
from include.sources.addresses import same_server
from include.sources.builds import every_build

log = logging.getLogger(__name__)

KEYWORDS = "keyword_generation"  # the key of an index's _meta, and of a build's facts


def linked_keywords(settings: Settings) -> frozenset[str] | None:
    """The keyword generations that the links served by the settings' Elasticsearch lead to.

    Links are looked for under the settings' name for them, and under every name that they were built for here. ``None``
    when Elasticsearch does not tell, which is warned of, unless nothing was ever linked here: whoever has vectors alone
    needs no Elasticsearch.
    """
    linkings = [build.facts["parameters"] for build in every_build(settings) if KEYWORDS in build.facts]
    ours = {given["index"] for given in linkings if same_server(given["es_url"], settings.es_url)}
    try:
        with connect(EsConnection.from_settings(settings)) as client:
            found = [_leads_to(client, name) for name in sorted({settings.link_index, *ours})]
    except EmbsearchError as error:
        if not linkings:
            return frozenset()
        log.warning("Which keywords the served links lead to is not known, so all that are there stay: %s", error)
        return None
    return frozenset(generation for generation in found if generation is not None)


def _leads_to(client: Elasticsearch, alias: str) -> str | None:
    generations = IndexGenerations(client, alias)
    served = generations.resolve()
    return None if served is None else generations.meta(served).get(KEYWORDS)
