"""What ``embsearch check-model`` tells: server, model, dimension, latency, throughput, and nearness of meanings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from include.catalog.models import Medium, ModelSpec
from include.errors import ServiceUnavailable
from include.triton.client import BATCH_SIZE, TritonClient
from include.triton.embedder import Embedder
from include.triton.names import is_beside
from include.triton.samples import sample_items

# (text, near in meaning, far in meaning), in the languages of the catalogue's models.
TRIPLES: dict[str, tuple[str, str, str]] = {
    "en": ("waterproof hiking backpack", "rainproof rucksack for trekking", "dark roast coffee beans"),
    "ja": ("防水の登山リュック", "雨に強いハイキング用バックパック", "深煎りコーヒー豆"),
    "ko": ("방수 등산 배낭", "비에 강한 하이킹 백팩", "진하게 볶은 커피 원두"),
    "zh": ("防水登山背包", "防雨徒步双肩包", "深度烘焙咖啡豆"),
}


# Items that throughput is measured with, for each round: an image or a sound is far more work than a text.
BATCHES: dict[Medium, int] = {"text": BATCH_SIZE, "image": 8, "audio": 4}
UNITS: dict[Medium, str] = {"text": "text", "image": "image", "audio": "sound"}


@dataclass(frozen=True)
class Similarity:
    """Cosines of one text to a near and a far one."""

    text: str
    near: str
    far: str
    near_cosine: float
    far_cosine: float


@dataclass(frozen=True)
class ServerState:
    """One URL, as it answers now."""

    url: str
    live: bool
    version: int | None  # of the model; None: not ready there
    fingerprint: str | None


@dataclass(frozen=True)
class ModelCheck:
    """A served model as its users meet it."""

    model: str
    medium: Medium
    servers: tuple[ServerState, ...]
    beside: tuple[str, ...]  # under which names earlier versions go on
    version: int
    fingerprint: str
    dimension: int
    max_length: int  # tokens
    precision: str
    runtime: str
    p50_ms: float  # of single texts, images or sounds
    p95_ms: float
    texts_per_second: float  # or images, or sounds; all the client's requests under way
    similarities: tuple[Similarity, ...]

    @property
    def live(self) -> bool:
        """Whether every server answers."""
        return all(server.live for server in self.servers)

    @property
    def ready(self) -> bool:
        """Whether every server serves this version."""
        return all(server.fingerprint == self.fingerprint for server in self.servers)

    @property
    def meaningful(self) -> bool:
        """Whether every near text is nearer than the far one."""
        return all(pair.near_cosine > pair.far_cosine for pair in self.similarities)


def check_model(client: TritonClient, spec: ModelSpec, *, rounds: int = 20) -> ModelCheck:
    """Ask and measure; takes ``rounds`` single texts, images or sounds, and ``rounds`` batches.

    Raises:
        ServiceUnavailable: no server answers (at once, without waiting for one).
        InputError: the model is not loaded; the message names those that are.
        ContractError: what is served is not the catalogue's model.
    """
    if not client.is_live():
        msg = f"Triton at {', '.join(client.urls)} does not answer. Start it (`make up`) or check kserve_url."
        raise ServiceUnavailable(msg)
    embedder = Embedder(client, spec)
    served = embedder.served
    languages = [language for language in spec.languages if language in TRIPLES] if spec.medium == "text" else []
    items = sample_items(spec.medium, rounds * BATCHES[spec.medium])
    latencies = [_milliseconds(embedder, items[:1]) for _ in range(rounds)]
    return ModelCheck(
        model=spec.name,
        medium=spec.medium,
        servers=_servers(client, spec.name),
        beside=tuple(name for name in client.ready_models() if is_beside(name, spec.name)),
        version=served.version,
        fingerprint=served.fingerprint,
        dimension=served.dimension,
        max_length=served.max_length,
        precision=served.precision,
        runtime=served.runtime,
        p50_ms=round(float(np.percentile(latencies, 50)), 2),
        p95_ms=round(float(np.percentile(latencies, 95)), 2),
        texts_per_second=round(len(items) / _milliseconds(embedder, items) * 1000, 1),
        similarities=tuple(_similarity(embedder, TRIPLES[language]) for language in languages),
    )


def rows_of(check: ModelCheck) -> list[tuple[str, str]]:
    """The check as lines of a table: what, and how it is."""
    unit = UNITS[check.medium]
    servers = [(f"server {server.url}", _state(server)) for server in check.servers]
    return [
        ("model", check.model),
        ("live", str(check.live)),
        ("ready", str(check.ready)),
        *servers,
        ("version", str(check.version)),
        ("beside it", ", ".join(check.beside) or "none"),
        ("fingerprint", check.fingerprint),
        ("dimension", str(check.dimension)),
        *([("longest text", f"{check.max_length} tokens")] if check.medium == "text" else []),
        ("precision", f"{check.precision} by {check.runtime}"),
        (f"one {unit}, p50", f"{check.p50_ms:.1f} ms"),
        (f"one {unit}, p95", f"{check.p95_ms:.1f} ms"),
        ("throughput", f"{check.texts_per_second:,.0f} {unit}s/s"),
        *((f"{pair.text} ~ {pair.near}", f"{pair.near_cosine:.3f}") for pair in check.similarities),
        *((f"{pair.text} ~ {pair.far}", f"{pair.far_cosine:.3f}") for pair in check.similarities),
    ]


def _servers(client: TritonClient, model: str) -> tuple[ServerState, ...]:
    lives = client.on_each(lambda connection, _: connection.is_server_live())
    found = client.served_by_each(model)
    return tuple(
        ServerState(url, bool(live), served.version if served else None, served.fingerprint if served else None)
        for url, live, served in zip(client.urls, lives, found, strict=True)
    )


def _state(server: ServerState) -> str:
    if not server.live:
        return "does not answer"
    return "lacks the model" if server.version is None else f"version {server.version}"


def _similarity(embedder: Embedder, triple: tuple[str, str, str]) -> Similarity:
    vectors = embedder.embed(triple, "semantic").astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near, far = (float(vectors[0] @ vectors[row]) for row in (1, 2))
    return Similarity(*triple, near_cosine=round(near, 4), far_cosine=round(far, 4))


def _milliseconds(embedder: Embedder, items: Sequence[Any]) -> float:
    began = time.perf_counter()
    embedder.client.embed(embedder.spec.name, items, fingerprint=embedder.fingerprint)
    return (time.perf_counter() - began) * 1000
