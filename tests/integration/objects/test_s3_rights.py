"""What a key that may not list its bucket is told, and what can be done with it all the same."""

from __future__ import annotations

import pytest

from include.errors import AccessDenied
from tests.integration.s3_server import store_at, without_right_to_list


def test_an_object_that_is_not_there_is_forbidden() -> None:
    with without_right_to_list({}) as url, pytest.raises(AccessDenied, match="the key or the right"):
        store_at(url).stat("s3://images/gone.jpg")


def test_an_object_is_deleted_and_one_that_is_gone_holds_nothing_up() -> None:
    objects = {"/images/there.jpg": b"x"}
    with without_right_to_list(objects) as url:
        store = store_at(url)
        assert store.delete("s3://images/there.jpg")
        assert not objects
        assert store.delete("s3://images/there.jpg"), "nobody can tell"
