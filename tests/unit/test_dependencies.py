import re

import pytest

from include.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
INPUTS = sorted((PROJECT_ROOT / "requirements").glob("*.in"))


def names(text: str) -> list[str]:
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [re.split(r"[\[<>=~! ;]", line)[0] for line in lines if line and not line.startswith("-")]


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_every_direct_dependency_has_its_reason_and_every_reason_its_dependency(path) -> None:  # type: ignore[no-untyped-def]
    section = PAGE.split(f"\n## {path.stem} ", 1)[1].split("\n## ", 1)[0]
    explained = re.findall(r"^\| ([\w-]+) \|", section, re.MULTILINE)
    assert sorted(names(path.read_text(encoding="utf-8"))) == sorted(set(explained) - {"package"})


def test_every_lock_pins_with_hashes_and_names_no_index() -> None:
    for path in [PROJECT_ROOT / "requirements.txt", *(PROJECT_ROOT / "requirements").glob("*.txt")]:
        text = path.read_text(encoding="utf-8")
        pins = re.findall(r"^[a-zA-Z0-9][^ ]*==", text, re.MULTILINE)
        assert pins
        assert text.count("--hash=sha256:") >= len(pins), path
        assert "://" not in text, path
