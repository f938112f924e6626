"""Three files of documents, each in a language of its own."""

from __future__ import annotations

from tests.integration.fulltext.library import Library

TENT = "二人用のテントです。\n" + "雨の日でも安心して眠れます。" * 8
KETTLE = "A kettle for two cups. " * 12
BAG = "방수 등산가방을 추천합니다. " * 10


def seed(library: Library) -> None:
    library.write({"ja/tent.md": f"# テント\n{TENT}", "en/kettle.txt": KETTLE, "ko/bag.txt": BAG})
