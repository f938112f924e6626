"""Ids are stable: users and earlier indexes depend on them."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from include.elastic.bulk_items import encode
from include.elastic.document_id import document_id
from include.elastic.documents import Document

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=700)


def test_a_name_of_up_to_512_bytes_is_its_own_id() -> None:
    for name in ("贅沢 登山リュック M", "a", "登" * 170 + "ab", " ", "\x00"):
        assert document_id(name) == name


def test_a_longer_or_empty_name_is_hashed() -> None:
    for name in ("登" * 171, "x" * 513, ""):
        assert document_id(name) == "h:" + hashlib.sha256(name.encode()).hexdigest()
    assert document_id("") == "h:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(ANY_TEXT)
def test_every_text_has_an_id_that_elasticsearch_takes(name: str) -> None:
    encode(Document(document_id(name), {}), None)


@given(ANY_TEXT, ANY_TEXT)
def test_different_names_have_different_ids(one: str, other: str) -> None:
    assert (document_id(one) == document_id(other)) == (one == other)
