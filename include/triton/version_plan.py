"""How a new version of a model is to be served, decided from its manifest, the settings and the CPU."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tokenizers import Tokenizer

from include.catalog.models import Medium
from include.generations.files import sha256_of
from include.model_export.manifest import TOKENIZER, Manifest
from include.settings import Settings
from include.triton.config_pbtxt import Runtime, ServingConfig
from include.triton.ensemble import MAX_LENGTH, step_configs
from include.triton.model_code import version_files
from include.triton.runtime import Cpu, served_as

# Padded tokens of one run of the graph: small runs stay in the cache. 12 % less CPU time than 512 by ONNX Runtime.
# A GPU's budgets belong to its code.
TOKEN_BUDGET: dict[Runtime, int] = {"openvino": 512, "onnxruntime": 256, "packed": 0, "tensorrt": 0}
# Of one execution, all of which is held in memory: prepared pixels take 0.6 MB, a second of sound 0.2 MB.
MAX_BATCH_SIZE: dict[Medium, int] = {"text": 256, "image": 64, "audio": 16}
GPU_BATCH_SIZE = 1024  # texts: a GPU is filled by many


def as_served(manifest: Manifest, folder: Path, settings: Settings, runtime: Runtime | None) -> Manifest:
    """The manifest of the export in ``folder`` as the wanted runtime serves it: TensorRT takes texts of 512 tokens.

    Texts that are cut earlier than the export's are other vectors, so the limit goes into the fingerprint, and the
    reference texts beyond it are left out.
    """
    if (runtime or settings.triton_runtime) != "tensorrt" or manifest.max_length <= MAX_LENGTH:
        return manifest
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    texts, vectors = manifest.reference.texts, manifest.reference.vectors
    rows = [row for row, text in enumerate(texts) if len(tokenizer.encode(text).ids) <= MAX_LENGTH]
    kept = {"texts": tuple(texts[row] for row in rows), "vectors": tuple(vectors[row] for row in rows)}
    reference = manifest.reference.model_copy(update=kept)
    return manifest.model_copy(update={"max_length": MAX_LENGTH, "reference": reference})


def plan_version(
    manifest: Manifest, folder: Path, settings: Settings, *, runtime: Runtime | None, version: int, previous: int
) -> tuple[ServingConfig, dict[str, Path]]:
    """The configuration of ``version`` of the export in ``folder``, and its files: name → source.

    ``runtime`` overrides ``settings.triton_runtime``.

    Raises:
        InputError: the runtime does not serve this export.
    """
    configured = None if settings.triton_runtime == "auto" else settings.triton_runtime
    chosen, precision = served_as(manifest, runtime or configured, Cpu.present())
    files = version_files(manifest, folder, chosen)
    config = ServingConfig(
        model=manifest.name,
        version=version,
        previous=previous,
        fingerprint=manifest.fingerprint(precision, runtime=chosen),
        build="",
        dimension=manifest.dimension,
        max_length=manifest.max_length,
        pad_token_id=manifest.pad_token_id,
        precision=precision,
        runtime=chosen,
        token_budget=TOKEN_BUDGET[chosen],
        max_batch_size=GPU_BATCH_SIZE if chosen == "packed" else MAX_BATCH_SIZE[manifest.medium],
        instances=settings.triton_instances,
        kind=manifest.kind,
    )
    return replace(config, build=_build_hash(config, files, manifest)), files


def _build_hash(config: ServingConfig, files: Mapping[str, Path], manifest: Manifest) -> str:
    """The same for the same model served in the same way, whatever its version is called: all files, all settings."""
    neutral = replace(config, version=0, previous=0, build="")
    same = [neutral.render(), *(map(str, step_configs(neutral)) if config.runtime == "tensorrt" else ())]
    hashes = {name: manifest.files.get(name) or sha256_of(source) for name, source in files.items()}
    parts = [same, hashes, manifest.model_dump_json()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
