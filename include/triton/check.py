"""What ``embsearch check-model`` tells: server, model, dimension, latency, throughput, and nearness of meanings."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from include.catalog.models import ModelSpec
from include.errors import ServiceUnavailable
from include.triton.client import BATCH_SIZE, TritonClient
from include.triton.embedder import Embedder

# (text, near in meaning, far in meaning), in the languages of the catalogue's models.
TRIPLES: dict[str, tuple[str, str, str]] = {
    "en": ("waterproof hiking backpack", "rainproof rucksack for trekking", "dark roast coffee beans"),
    "ja": ("防水の登山リュック", "雨に強いハイキング用バックパック", "深煎りコーヒー豆"),
    "ko": ("방수 등산 배낭", "비에 강한 하이킹 백팩", "진하게 볶은 커피 원두"),
    "zh": ("防水登山背包", "防雨徒步双肩包", "深度烘焙咖啡豆"),
}


@dataclass(frozen=True)
class Similarity:
    """Cosines of one text to a near and a far one."""

    text: str
    near: str
    far: str
    near_cosine: float
    far_cosine: float


@dataclass(frozen=True)
class ModelCheck:
    """A served model as its users meet it."""

    model: str
    live: bool
    ready: bool
    version: int
    fingerprint: str
    dimension: int
    max_length: int  # tokens
    precision: str
    runtime: str
    p50_ms: float  # of single texts
    p95_ms: float
    texts_per_second: float  # in batches of the client's size, all its threads busy
    similarities: tuple[Similarity, ...]

    @property
    def meaningful(self) -> bool:
        """Whether every near text is nearer than the far one."""
        return all(pair.near_cosine > pair.far_cosine for pair in self.similarities)


def check_model(client: TritonClient, spec: ModelSpec, *, rounds: int = 20) -> ModelCheck:
    """Ask and measure; takes ``rounds`` single texts and ``rounds`` batches.

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
    similarities = tuple(_similarity(embedder, TRIPLES[language]) for language in spec.languages if language in TRIPLES)
    latencies = [_milliseconds(embedder, TRIPLES["en"][:1]) for _ in range(rounds)]
    texts = [f"{text} {number}" for number, text in enumerate(TRIPLES["en"] * (rounds * BATCH_SIZE // 3 + 1))]
    texts = texts[: rounds * BATCH_SIZE]
    return ModelCheck(
        model=spec.name,
        live=True,
        ready=True,
        version=served.version,
        fingerprint=served.fingerprint,
        dimension=served.dimension,
        max_length=served.max_length,
        precision=served.precision,
        runtime=served.runtime,
        p50_ms=round(float(np.percentile(latencies, 50)), 2),
        p95_ms=round(float(np.percentile(latencies, 95)), 2),
        texts_per_second=round(len(texts) / _milliseconds(embedder, texts) * 1000, 1),
        similarities=similarities,
    )


def _similarity(embedder: Embedder, triple: tuple[str, str, str]) -> Similarity:
    vectors = embedder.embed(triple, "semantic").astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near, far = (float(vectors[0] @ vectors[row]) for row in (1, 2))
    return Similarity(*triple, near_cosine=round(near, 4), far_cosine=round(far, 4))


def _milliseconds(embedder: Embedder, texts: tuple[str, ...] | list[str]) -> float:
    began = time.perf_counter()
    embedder.embed(texts, "semantic")
    return (time.perf_counter() - began) * 1000
