"""Six documents in four languages, how to index them, and which of them a search has found."""

from __future__ import annotations

import json
from typing import Any

from include.fulltext.results import DocumentWithScore
from tests.integration.fulltext.library import Library

DOCUMENTS = {
    "backpack": ("登山リュックの選び方", "雨の日には防水の登山リュックが安心です。背負いやすい形を選びましょう。", "a"),
    "umbrella": ("折りたたみ傘", "軽い折りたたみ傘を鞄に入れておくと、急な雨でも困りません。", "a"),
    "bag": ("등산가방", "방수 등산가방은 비 오는 날에도 젖지 않습니다. 가방을 고를 때 무게를 확인하세요.", "b"),
    "jacket": ("羽绒服的清洗", "清洗羽绒服时请使用中性洗涤剂，不要拧干。污渍可以先用湿布擦。", "b"),
    "tent": ("Pitching a tent", "Pitch the tent on flat ground. Check the pegs before the rain comes. " * 4, "b"),
    "kettle": ("Limescale", "Boil water with citric acid in the kettle & rinse it <twice>.", "c"),
}


def seed(library: Library, documents: dict[str, tuple[str, str, str]] = DOCUMENTS, **values: Any) -> Library:
    lines = [
        json.dumps(
            {"id": name, "title": title, "text": text, "metadata": {"chat_id": chat, "author": f"author of {name}"}}
        )
        for name, (title, text, chat) in documents.items()
    ]
    library.write({"all.jsonl": "\n".join(lines)})
    assert library.index(**{"chunk_size": 200, **values})["counts"]["written"] == len(documents)
    return library


def ids(found: list[DocumentWithScore]) -> list[str]:
    return [one.metadata["document_id"] for one in found]
