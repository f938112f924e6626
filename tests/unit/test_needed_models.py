"""What any room needs stays loaded; what is not known keeps all."""

from __future__ import annotations

import pytest

from include import needed_models as rooms
from include.settings import Settings


@pytest.mark.parametrize(
    ("vectors", "images", "needed"),
    [
        (frozenset("a"), frozenset("b"), frozenset("ab")),
        (frozenset(), frozenset("b"), frozenset("b")),
        (None, frozenset("b"), None),
        (frozenset("a"), None, None),
    ],
)
def test_the_models_of_all_rooms_are_needed(
    monkeypatch: pytest.MonkeyPatch,
    vectors: frozenset[str] | None,
    images: frozenset[str] | None,
    needed: frozenset[str] | None,
) -> None:
    monkeypatch.setattr(rooms, "needed_fingerprints", lambda _: vectors)
    monkeypatch.setattr(rooms, "image_fingerprints", lambda _: images)
    assert rooms.needed_models(Settings(_env_file=None)) == needed
