"""When a new index is filled beside the served one, and how its documents are analysed."""

from __future__ import annotations

from typing import Any

import pytest

from include.elastic.index_generations import IndexGenerations
from include.errors import GateFailed, InputError
from tests.integration.fulltext.library import Library
from tests.integration.fulltext.three_files import seed


@pytest.mark.parametrize("changed", [{"chunk_size": 60}, {"analysis": "standard"}, {"rebuild": True}])
def test_another_way_to_cut_or_to_read_fills_a_new_index_beside_the_served_one(
    library: Library, changed: dict[str, Any]
) -> None:
    seed(library)
    first = library.index()
    second = library.index(**changed)
    assert second["generation"] != first["generation"] == second["previous"]
    assert second["counts"]["written"] == 3
    assert second["gate"] == {"documents": 3, "checked": 3}
    assert library.generations() == [first["generation"], second["generation"]]
    with library.client() as client:
        assert IndexGenerations(client, library.collection).rollback() == first["generation"]
    assert library.find("등산")


def test_a_new_index_of_much_less_than_is_served_is_refused(library: Library) -> None:
    seed(library)
    first = library.index()
    only = library.write({"one.txt": "one"}, "other")
    with pytest.raises(GateFailed, match="has 1 rows, served are 3"):
        library.index(input=str(only), rebuild=True)
    assert library.served() == first["generation"]
    assert library.index(input=str(only), rebuild=True, min_share=0)["documents"] == 1


def test_auto_goes_on_with_the_analysis_of_the_served_index(library: Library) -> None:
    seed(library)
    first = library.index(analysis="standard")
    second = library.index()
    assert second["generation"] == first["generation"]
    assert second["analysis"]["kind"] == "standard"


def test_an_analyzer_that_the_cluster_lacks_is_an_error_only_when_asked_for(library: Library) -> None:
    seed(library)
    with pytest.raises(InputError, match="has no analyzer 'ik_max_word'"):
        library.index(analysis="ik")
    assert library.served() is None
    assert library.index(language="ja")["analysis"]["kind"] == "tokens"
