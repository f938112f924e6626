"""Which index a search gets, whatever becomes of it meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.images.api.serving import NoIndex, Serving
from include.settings import Settings


def test_an_index_that_somebody_else_found_gone_a_moment_ago_is_said_to_be_gone(tmp_path: Path) -> None:
    with Serving(Settings(_env_file=None, state_dir=tmp_path)) as serving:
        held: Any = serving._indexes

        class TakenAway:
            @property
            def taken_away(self) -> bool:
                held.pop(("v2", "defect"), None)  # what another thread does that finds it gone, and finds no other
                return True

        held["v2", "defect"] = TakenAway()
        with pytest.raises(NoIndex, match="There is no index of defect images"):
            serving.index("defect", "v2")
