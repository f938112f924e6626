"""Variables that look like settings and are none: a slip of the pen should not pass for a default."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from include.settings import Settings
from include.settings.values import PREFIX

# Read elsewhere: by this package before there are settings, by the stack's processes, by the tests and benchmarks.
OTHERS = ("ENV_FILES", "PROGRAM", "STACK", "TORCH_PATH")
OF_TESTS = ("TEST_", "BENCH_")


def unknown_settings(names: Iterable[str]) -> list[str]:
    """A sentence for each of ``names`` that begins as a setting's does and is none, with the nearest one there is."""
    known = [name.upper() for name in Settings.model_fields]
    given = (name.removeprefix(PREFIX) for name in sorted(names) if name.startswith(PREFIX))
    strange = [name for name in given if name not in {*known, *OTHERS} and not name.startswith(OF_TESTS)]
    return [_told(name, difflib.get_close_matches(name, known, n=1)) for name in strange]


def _told(name: str, near: list[str]) -> str:
    meant = f" Did you mean {PREFIX}{near[0]}?" if near else ""
    return f"{PREFIX}{name} is no setting, so it is ignored.{meant}"
