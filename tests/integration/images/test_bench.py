"""The bench of images in small: it measures, bounded in time, and leaves nothing behind."""

from __future__ import annotations

import pytest

from include.bench import images as bench
from tests.integration.images.served import ServedImages


def test_all_figures_are_taken_and_no_search_fails(images: ServedImages, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"CALLERS": (1, 4), "LOAD_SECONDS": 3.0, "PROMOTES": 2, "PAUSE_SECONDS": 2.5}.items():
        monkeypatch.setattr(bench, name, value)

    found = bench.image_figures(images.settings, pictures=100, searched=3000, repeats=1)

    assert len(found) == 5
    assert all(figure.ours > 0 for figure in found)
    assert [figure.goal for figure in found] == [None, 0.1, None, None, 1]
    assert found[-1].ratio == 1
    assert 1 <= found[-1].details["promotes_followed"] <= 2, "searches of one version alone prove nothing"
    assert all(figure.details.get("failures", 0) == 0 for figure in found)
    assert not (images.settings.state_dir / "bench" / "images").exists()
