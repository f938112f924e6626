from pathlib import Path

from include.generations.pointer import Pointer


def test_promote_returns_what_was_served_before(tmp_path: Path) -> None:
    pointer = Pointer(tmp_path, "keywords")
    assert pointer.current() is None
    assert pointer.promote("keywords__1") is None
    assert pointer.promote("keywords__2") == "keywords__1"
    assert pointer.current() == "keywords__2"
