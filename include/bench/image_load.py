"""What one caller of the image search does, for locust: uploads pictures, one after the other.

``EMBSEARCH_BENCH_PICTURES`` is the folder of the pictures, ``EMBSEARCH_BENCH_TOKEN`` the server's token.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

from locust import FastHttpUser, task

PICTURES = sorted(Path(os.environ["EMBSEARCH_BENCH_PICTURES"]).glob("*.jpg"))
NAME = "/similarity"


class Caller(FastHttpUser):
    """Asks again as soon as the answer is there."""

    def on_start(self) -> None:
        """Read the pictures once."""
        self._random = random.Random(0)  # noqa: S311 — which picture is no secret
        self._pictures = [path.read_bytes() for path in PICTURES[:200]]
        self._headers = {"Authorization": f"Bearer {os.environ['EMBSEARCH_BENCH_TOKEN']}"}

    @task
    def search(self) -> None:
        """Upload a picture and count what is not a full answer as a failure."""
        files = {"file": ("query.jpg", self._random.choice(self._pictures), "image/jpeg")}
        with self.client.post(NAME, files=files, headers=self._headers, catch_response=True) as answer:
            if answer.status_code != 200 or len(answer.json()["results"]) != 5:
                answer.failure(f"status {answer.status_code}")
