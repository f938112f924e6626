"""What any room needs stays loaded; what is not known keeps all."""

from __future__ import annotations

import pytest

from include import needed_models as rooms
from include.settings import Settings


@pytest.mark.parametrize(
    ("linked", "vectors", "images", "needed"),
    [
        (frozenset(), frozenset("a"), frozenset("b"), frozenset("ab")),
        (frozenset("l"), frozenset("a"), frozenset("b"), frozenset("lab")),
        (frozenset(), frozenset(), frozenset("b"), frozenset("b")),
        (frozenset("l"), None, frozenset("b"), None),
        (frozenset("l"), frozenset("a"), None, None),
        (None, frozenset("a"), frozenset("b"), None),
    ],
)
def test_the_models_of_all_rooms_are_needed(
    monkeypatch: pytest.MonkeyPatch,
    linked: frozenset[str] | None,
    vectors: frozenset[str] | None,
    images: frozenset[str] | None,
    needed: frozenset[str] | None,
) -> None:
    def of_vectors(_: Settings, *, linked: frozenset[str]) -> frozenset[str] | None:
        return None if vectors is None else vectors | linked

    monkeypatch.setattr(rooms, "linked_keywords", lambda _: linked)
    monkeypatch.setattr(rooms, "needed_fingerprints", of_vectors)
    monkeypatch.setattr(rooms, "image_fingerprints", lambda _: images)
    assert rooms.needed_models(Settings(_env_file=None)) == needed
