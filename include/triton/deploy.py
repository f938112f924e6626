"""Serve a new version of a model, or go back to an earlier one, without a failed request.

decide → stage as a candidate → load, warm and check the candidate on the real server → rename into place → pin → load →
check again. Whatever fails, the version that was served is pinned and loaded again, and the bad one is removed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

from include.errors import EmbsearchError, GateFailed, InputError
from include.generations.files import sha256_of
from include.generations.locks import locked
from include.model_export.manifest import MANIFEST, Manifest
from include.settings import PROJECT_ROOT, Settings
from include.triton.config_pbtxt import Runtime, ServingConfig
from include.triton.control import ServerControl
from include.triton.probe import ProbeFigures, probe
from include.triton.repository import ModelRepository
from include.triton.runtime import PRECISION, choose_runtime, cpu_flags

log = logging.getLogger(__name__)

TEMPLATE = PROJECT_ROOT / "triton_models" / "cpu_embedder" / "model.py"
# Padded tokens of one run of the graph: small runs stay in the cache. 12 % less CPU time than 512 by ONNX Runtime.
TOKEN_BUDGET: dict[Runtime, int] = {"openvino": 512, "onnxruntime": 256}
MAX_BATCH_SIZE = 256


@dataclass(frozen=True)
class DeployResult:
    """What is served now."""

    model: str
    version: int
    fingerprint: str
    previous: int | None  # the version served before
    runtime: str
    precision: str
    changed: bool  # False: it was served already
    figures: ProbeFigures


def deploy(folder: Path, settings: Settings, *, runtime: Runtime | None = None) -> DeployResult:
    """Serve the exported model in ``folder``; does nothing but check when the same build is served already.

    ``runtime`` overrides ``settings.triton_runtime``.

    Raises:
        GateFailed: the server cannot load it, or its vectors are not those of the manifest; what was served stays.
        ServiceUnavailable: a server does not answer.
        ContractError, InputError: ``folder`` is damaged or holds no export.
        Busy: another deploy of this model is running.
    """
    manifest = Manifest.read(folder)
    manifest.check_files(folder)
    repository, server = _parts(settings)
    with locked(repository.lock(manifest.name), purpose=f"deploy of {manifest.name}"):
        served = repository.served(manifest.name)
        config = _decide(manifest, repository, settings, runtime, served)
        if served is not None and served.build == config.build:
            log.info("%s version %d is this build already", served.model, served.version)
            return _confirm(served, manifest, server)
        files = {name: folder / name for name in (*manifest.files, MANIFEST)} | {"model.py": TEMPLATE}
        _check_candidate(config, files, manifest, repository, server)
        repository.accept_candidate(config)
        try:
            figures = _switch(config, manifest, repository, server, back_to=served)
        except EmbsearchError:
            repository.remove(config.model, config.version)
            raise
        return _result(config, figures)


def rollback(model: str, settings: Settings, *, to_version: int | None = None) -> DeployResult:
    """Serve an earlier version again: ``to_version``, or the one that was served before the present one.

    Raises:
        InputError: there is no such version, or none before.
        GateFailed: that version does not pass its check; what was served stays.
        ServiceUnavailable: a server does not answer.
    """
    repository, server = _parts(settings)
    with locked(repository.lock(model), purpose=f"roll back of {model}"):
        served = repository.served(model)
        if served is None:
            msg = f"Model {model} was never deployed into {repository.root}. Run `embsearch deploy --model {model}`."
            raise InputError(msg)
        version = served.previous if to_version is None else to_version
        if version in (0, served.version):
            there = ", ".join(map(str, repository.versions(model)))
            msg = f"Model {model} serves version {served.version}; there is no other to go back to. Versions: {there}."
            raise InputError(msg)
        config = repository.config_of(model, version)
        manifest = Manifest.read(repository.folder(model, version))
        figures = _switch(config, manifest, repository, server, back_to=served)
        return replace(_result(config, figures), previous=served.version)


def _parts(settings: Settings) -> tuple[ModelRepository, ServerControl]:
    urls = [url.strip() for url in settings.kserve_grpc_url.split(",") if url.strip()]
    return ModelRepository(settings.model_repository), ServerControl(urls)


def _decide(
    manifest: Manifest,
    repository: ModelRepository,
    settings: Settings,
    runtime: Runtime | None,
    served: ServingConfig | None,
) -> ServingConfig:
    configured = None if settings.triton_runtime == "auto" else settings.triton_runtime
    chosen = runtime or configured or choose_runtime(cpu_flags())
    config = ServingConfig(
        model=manifest.name,
        version=max(repository.versions(manifest.name), default=0) + 1,
        previous=served.version if served else 0,
        fingerprint=manifest.fingerprint(PRECISION[chosen]),
        build="",
        dimension=manifest.dimension,
        max_length=manifest.max_length,
        pad_token_id=manifest.pad_token_id,
        precision=PRECISION[chosen],
        runtime=chosen,
        token_budget=TOKEN_BUDGET[chosen],
        max_batch_size=MAX_BATCH_SIZE,
        instances=settings.triton_instances,
    )
    return replace(config, build=_build_hash(config))


def _build_hash(config: ServingConfig) -> str:
    """The same for the same model served in the same way, whatever its version is called."""
    same = replace(config, version=0, previous=0, build="").render()
    return hashlib.sha256(json.dumps([same, sha256_of(TEMPLATE)]).encode()).hexdigest()


def _check_candidate(
    config: ServingConfig,
    files: dict[str, Path],
    manifest: Manifest,
    repository: ModelRepository,
    server: ServerControl,
) -> None:
    candidate = repository.stage(config, files)
    try:
        log.info("%s: loading the candidate of version %d", config.model, config.version)
        server.load(candidate)
        figures = probe(server, candidate, manifest, precision=config.precision)
        log.info("%s: candidate accepted, smallest cosine %.6f", config.model, figures.min_cosine)
        server.unload(candidate)
    except EmbsearchError as error:
        _quietly_unload(server, candidate)
        repository.discard_candidate(config.model)
        raise _refused(config, error) from error


def _switch(
    config: ServingConfig,
    manifest: Manifest,
    repository: ModelRepository,
    server: ServerControl,
    *,
    back_to: ServingConfig | None,
) -> ProbeFigures:
    try:
        repository.pin(config)
        server.load(config.model)
        figures = probe(server, config.model, manifest, precision=config.precision)
    except EmbsearchError as error:
        _restore(config.model, repository, server, back_to)
        raise _refused(config, error) from error
    log.info("%s: version %d is served", config.model, config.version)
    return figures


def _restore(model: str, repository: ModelRepository, server: ServerControl, back_to: ServingConfig | None) -> None:
    if back_to is None:
        repository.unpin(model)
        _quietly_unload(server, model)
        return
    repository.pin(back_to)
    try:
        server.load(model)
    except EmbsearchError:
        log.exception("%s: version %d is pinned again but could not be loaded", model, back_to.version)


def _quietly_unload(server: ServerControl, model: str) -> None:
    try:
        server.unload(model)
    except EmbsearchError as error:
        log.warning("%s could not be unloaded: %s", model, error)


def _refused(config: ServingConfig, error: EmbsearchError) -> EmbsearchError:
    """The same kind of error, saying what it means for the service."""
    msg = f"Version {config.version} of {config.model} is not served. {error} What was served before still is."
    return GateFailed(msg) if isinstance(error, GateFailed) else type(error)(msg)


def _confirm(served: ServingConfig, manifest: Manifest, server: ServerControl) -> DeployResult:
    """Check the served version; load it first, which costs nothing when it is loaded."""
    server.load(served.model)
    figures = probe(server, served.model, manifest, precision=served.precision)
    return replace(_result(served, figures), changed=False)


def _result(config: ServingConfig, figures: ProbeFigures) -> DeployResult:
    return DeployResult(
        model=config.model,
        version=config.version,
        fingerprint=config.fingerprint,
        previous=config.previous or None,
        runtime=config.runtime,
        precision=config.precision,
        changed=True,
        figures=figures,
    )
