"""Builds that are killed or refused: what they leave, and what the next one makes of it."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest
from PIL import Image

from include.errors import Busy, GateFailed
from tests.integration.images.gallery import Gallery
from tests.integration.images.test_build import defects, seeded

__all__ = ["seeded"]


def test_what_a_killed_build_had_embedded_is_not_embedded_again(seeded: Gallery) -> None:
    total = defects(seeded)
    process = seeded.process(
        "import sys\nfrom include.images.collected import CollectedWriter\nadd = CollectedWriter.add\n"
        "def adding(self, rows, marks, vectors):\n"
        "    add(self, rows, marks, vectors)\n"
        "    if len(self._ids) >= 21:\n"
        "        print('at work', flush=True)\n        sys.stdin.readline()\n"
        "CollectedWriter.add = adding"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert seeded.folder().served_name() is None

    found = seeded.build()

    assert (found["reused"], found["embedded"]) == (21, total - 21)
    assert seeded.remains() == []
    assert [row["image_id"] for row in seeded.metadata()] == seeded.served().ids().tolist()
    whole = np.load(seeded.served().folder / "embeddings.npy")
    seeded.build(force=True)
    np.testing.assert_allclose(whole, np.load(seeded.served().folder / "embeddings.npy"), atol=1e-5)


@pytest.mark.parametrize(
    "place", ["include.faiss_index.assembly:verify", "include.generations.pointer:Pointer.promote"]
)
def test_a_build_that_is_killed_at_the_end_leaves_what_is_served(seeded: Gallery, place: str) -> None:
    before = seeded.build()["version"]
    seeded.tell("DELETE FROM images WHERE image_type = 'defect' LIMIT 1")
    module, _, name = place.partition(":")
    owner, _, method = name.rpartition(".")
    process = seeded.process(
        f"import sys, {module}\nowner = {module}{'.' + owner if owner else ''}\n"
        "def waiting(*_, **__):\n    print('at work', flush=True)\n    sys.stdin.readline()\n"
        f"owner.{method} = waiting"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    with pytest.raises(Busy, match=rf"is held by: a build of the defect images, process {process.pid}\."):
        seeded.build()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert seeded.served().name == before

    assert seeded.build()["outcome"] == "published"
    assert seeded.remains() == []
    assert sorted(path.name for path in seeded.folder().versions.iterdir()) == seeded.folder().all()


@pytest.mark.parametrize("what", ["an image", "the model"])
def test_what_a_killed_build_had_embedded_is_served_by_the_next_one_though_it_embeds_nothing(
    seeded: Gallery, what: str
) -> None:
    first = seeded.build()
    if what == "an image":
        Image.new("RGB", (64, 64), "red").save(seeded.files("dent")[0])
    else:
        sources = seeded.served().folder / "sources.json"
        sources.chmod(0o644)
        sources.write_text(json.dumps(json.loads(sources.read_text()) | {"fingerprint": "another"}))
    process = seeded.process(
        "import sys, include.images.build as owner\n"
        "def waiting(*_, **__):\n    print('at work', flush=True)\n    sys.stdin.readline()\n"
        "owner.index_collected = waiting"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()

    second = seeded.build()

    assert (second["outcome"], second["embedded"], second["reused"]) == ("published", 0, first["rows"])
    served = np.load(seeded.served().folder / "embeddings.npy")
    seeded.build(force=True)
    np.testing.assert_allclose(served, np.load(seeded.served().folder / "embeddings.npy"), atol=1e-5)


def test_builds_that_are_refused_again_and_again_leave_one_collection(seeded: Gallery) -> None:
    for path in seeded.files("dent"):
        path.unlink()
    for _ in range(3):
        with pytest.raises(GateFailed):
            seeded.build()
    assert len([name for name in seeded.remains() if name.startswith("collecting-")]) == 1
