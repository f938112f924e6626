"""Serve a new version of a model, or go back to an earlier one, without a failed request.

decide → stage as a candidate → load, warm and check the candidate on every server → rename into place → switch → prune.
Whatever fails, what was served is served on, and the bad version is removed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from include.errors import EmbsearchError, InputError
from include.generations.locks import locked
from include.model_export.manifest import Manifest
from include.settings import Settings
from include.triton.config_pbtxt import Runtime, ServingConfig
from include.triton.model_code import version_files
from include.triton.names import candidate_name
from include.triton.probe import ProbeFigures, probe
from include.triton.sites import Site, sites_of
from include.triton.switch import check, refused, switch, worst
from include.triton.version_plan import as_served, plan_version

log = logging.getLogger(__name__)


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
    servers: int
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
    manifest = as_served(Manifest.read(folder), folder, settings, runtime)
    manifest.check_files(folder)
    sites = sites_of(settings)
    model = manifest.name
    with locked(sites[0].repository.lock(model), purpose=f"deploy of {model}"):
        served = [site.present(model) for site in sites]
        config = plan_version(
            manifest,
            settings,
            runtime=runtime,
            version=max(site.repository.next_version(model) for site in sites),
            previous=served[0].version if served[0] else 0,
        )
        if served[0] is not None and all(one is not None and one.build == config.build for one in served):
            log.info("%s version %d is this build already", model, served[0].version)
            return _confirm([one for one in served if one is not None], sites)
        kept = [site.repository.find(model, config.build) for site in sites]
        if kept[0] is not None and all(one == kept[0] for one in kept):
            log.info("%s version %d is this build: it is kept, and served again", model, kept[0].version)
            config = replace(kept[0], previous=config.previous)
            figures = switch(config, sites, beside=settings.triton_beside)
        else:
            figures = _serve_new(config, version_files(manifest, folder, config.runtime), manifest, sites, settings)
        for site in sites:
            site.repository.prune(model, keep=settings.keep_model_versions)
        return _result(config, figures, sites)


def rollback(model: str, settings: Settings, *, to_version: int | None = None) -> DeployResult:
    """Serve an earlier version again: ``to_version``, or the one that was served before the present one.

    Raises:
        InputError: there is no such version, or none before.
        GateFailed: that version does not pass its check; what was served stays.
        ServiceUnavailable: a server does not answer.
    """
    sites = sites_of(settings)
    repository = sites[0].repository
    with locked(repository.lock(model), purpose=f"roll back of {model}"):
        served = sites[0].present(model)
        if served is None:
            msg = f"Model {model} was never deployed into {repository.root}. Run `embsearch deploy --model {model}`."
            raise InputError(msg)
        version = served.previous if to_version is None else to_version
        if version in (0, served.version):
            there = ", ".join(map(str, repository.versions(model)))
            msg = f"Model {model} serves version {served.version}; there is no other to go back to. Versions: {there}."
            raise InputError(msg)
        configs = [site.repository.config_of(model, version) for site in sites]
        config = configs[0]
        figures = switch(config, sites, beside=settings.triton_beside)
        return replace(_result(config, figures, sites), previous=served.version)


def _serve_new(
    config: ServingConfig, files: dict[str, Path], manifest: Manifest, sites: Sequence[Site], settings: Settings
) -> ProbeFigures:
    _check_candidate(config, files, manifest, sites)
    try:
        return switch(config, sites, beside=settings.triton_beside)
    except EmbsearchError:
        for site in sites:
            site.repository.remove(config.model, config.version)
        raise


def _check_candidate(config: ServingConfig, files: dict[str, Path], manifest: Manifest, sites: Sequence[Site]) -> None:
    """Load the new version on every server under a name that nobody asks for; then put it into its place."""
    candidate = candidate_name(config.model)
    try:
        for site in sites:
            site.repository.stage(config, files, manifest)
            folder = site.repository.folder(candidate, 1)
            for server in site.servers:
                log.info("%s: loading the candidate of version %d", config.model, config.version)
                server.load(candidate)
                figures = probe(server, candidate, manifest, folder=folder, precision=config.precision)
                log.info("%s: candidate accepted, smallest cosine %.6f", config.model, figures.min_cosine)
                server.unload(candidate)
    except EmbsearchError as error:
        for site in sites:
            site.unload(candidate)
            site.repository.discard_candidate(config.model)
        raise refused(config, error) from error
    for site in sites:
        site.repository.accept_candidate(config)


def _confirm(served: Sequence[ServingConfig], sites: Sequence[Site]) -> DeployResult:
    """Check the served version; load it first, which costs nothing when it is loaded."""
    figures = []
    for config, site in zip(served, sites, strict=True):
        for server in site.servers:
            server.load(config.model)
            figures.append(check(site, server, config))
    return replace(_result(served[0], worst(figures), sites), changed=False)


def _result(config: ServingConfig, figures: ProbeFigures, sites: Sequence[Site]) -> DeployResult:
    return DeployResult(
        model=config.model,
        version=config.version,
        fingerprint=config.fingerprint,
        previous=config.previous or None,
        runtime=config.runtime,
        precision=config.precision,
        changed=True,
        servers=sum(len(site.servers) for site in sites),
        figures=figures,
    )
