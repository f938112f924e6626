"""Serve a new version of a model, or go back to an earlier one, without a failed request.

decide → stage as a candidate → load, warm and check the candidate on every server → rename into place → switch → prune.
Whatever fails, what was served is served on, and the bad version is removed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from include.errors import ContractError, EmbsearchError, InputError
from include.generations.files import write_json
from include.generations.locks import locked
from include.model_export.manifest import Manifest
from include.settings import Settings
from include.triton.beside import Beside
from include.triton.config_pbtxt import Runtime, ServingConfig
from include.triton.names import candidate_name
from include.triton.probe import ProbeFigures, probe
from include.triton.sites import Site, sites_of
from include.triton.switch import check, make_room, recover, refused, switch, worst
from include.triton.version_plan import as_served, plan_version

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeployResult:
    """What is served now."""

    model: str
    version: int
    fingerprint: str
    previous: int | None  # the version served before; None: none was
    runtime: str
    precision: str
    changed: bool  # False: it was served already
    servers: int
    figures: ProbeFigures


def deploy(
    folder: Path, settings: Settings, *, runtime: Runtime | None = None, needed: Collection[str] | None = ()
) -> DeployResult:
    """Serve the exported model in ``folder``; does nothing but check when the same build is served already.

    ``runtime`` overrides ``settings.triton_runtime``. ``needed`` are fingerprints whose versions stay loaded and on
    disk (see :func:`~include.triton.beside.needed_fingerprints`); ``None``: all that are loaded stay.

    Raises:
        GateFailed: the server cannot load it, or its vectors are not those of the manifest; what was served stays.
        ServiceUnavailable: a server does not answer.
        ContractError, InputError: ``folder`` is damaged or holds no export.
        Busy: another deploy of this model is running.
    """
    manifest = as_served(Manifest.read(folder), folder, settings, runtime)
    manifest.check_files(folder)
    sites = sites_of(settings)
    model, beside = manifest.name, Beside(settings.triton_beside, needed)
    with locked(sites[0].repository.lock(model), purpose=f"deploy of {model}"):
        recover(model, sites)
        served = [site.present(model) for site in sites]
        config, files = plan_version(
            manifest,
            folder,
            settings,
            runtime=runtime,
            version=max(site.repository.next_version(model) for site in sites),
            previous=served[0].version if served[0] else 0,
        )
        if served[0] is not None and all(one is not None and one.build == config.build for one in served):
            log.info("%s version %d is this build already", model, served[0].version)
            return _confirm([one for one in served if one is not None], sites)
        if (kept := _kept(config, files, manifest, sites)) is not None:
            log.info("%s version %d is this build: it is kept, and served again", model, kept.version)
            config = replace(kept, previous=config.previous)
            figures = switch(config, sites, beside)
        else:
            figures = _serve_new(config, files, manifest, sites, beside)
        for site in sites:
            site.repository.prune(model, keep=settings.keep_model_versions, needed=needed)
        return _result(config, figures, sites)


def rollback(
    model: str,
    settings: Settings,
    *,
    to_version: int | None = None,
    run_key: str = "",
    needed: Collection[str] | None = (),
) -> DeployResult:
    """Serve an earlier version again: ``to_version``, or the one that was served before the present one.

    The same ``run_key`` means the same roll back: repeated, whether it was killed or had come to its end, it leads to
    the version that was decided on first. ``needed`` is as in :func:`deploy`.

    Raises:
        InputError: there is no such version, or none before.
        GateFailed: that version does not pass its check; what was served stays.
        ServiceUnavailable: a server does not answer.
    """
    sites = sites_of(settings)
    repository = sites[0].repository
    with locked(repository.lock(model), purpose=f"roll back of {model}"):
        recover(model, sites)
        decided = settings.state_dir / "rollbacks" / f"{run_key}.json"
        if run_key and decided.is_file():
            plan = json.loads(decided.read_text(encoding="utf-8"))
        else:
            plan = _decide(model, sites[0], to_version)
            if run_key:
                write_json(decided, plan)
        configs = [site.repository.config_of(model, plan["to"]) for site in sites]
        served = [site.present(model) for site in sites]
        if all(one is not None and one.version == plan["to"] for one in served):
            done = _confirm(configs, sites)
        else:
            done = _result(configs[0], switch(configs[0], sites, Beside(settings.triton_beside, needed)), sites)
        return replace(done, previous=plan["from"])


def _decide(model: str, site: Site, to_version: int | None) -> dict[str, int]:
    """From which version to which a roll back goes."""
    served, repository = site.present(model), site.repository
    if served is None:
        msg = f"Model {model} was never deployed into {repository.root}. Run `embsearch deploy --model {model}`."
        raise InputError(msg)
    version = served.previous if to_version is None else to_version
    if version in (0, served.version):
        there = ", ".join(map(str, repository.versions(model)))
        msg = f"Model {model} serves version {served.version}; there is no other to go back to. Versions: {there}."
        raise InputError(msg)
    repository.config_of(model, version)
    return {"from": served.version, "to": version}


def _kept(
    config: ServingConfig, files: Mapping[str, Path], manifest: Manifest, sites: Sequence[Site]
) -> ServingConfig | None:
    """The version of the same build that lies whole in every repository."""
    found = [site.repository.find(config.model, config.build) for site in sites]
    if found[0] is None or any(one != found[0] for one in found):
        return None
    try:
        for site in sites:
            site.repository.check_files(config.model, found[0].version, files, manifest)
    except ContractError as error:
        log.warning("%s It is not used.", error)
        return None
    return found[0]


def _serve_new(
    config: ServingConfig, files: Mapping[str, Path], manifest: Manifest, sites: Sequence[Site], beside: Beside
) -> ProbeFigures:
    make_room(config, sites, beside)
    _check_candidate(config, files, manifest, sites)
    try:
        for site in sites:
            site.repository.accept_candidate(config)
        return switch(config, sites, beside)
    except BaseException:
        for site in sites:
            pinned = site.repository.served(config.model)
            # Where it is pinned, or could not be taken back, it may be what a server serves.
            if not site.repository.noted_switch(config.model)[0] and (
                pinned is None or pinned.version != config.version
            ):
                site.repository.remove(config.model, config.version)
        raise


def _check_candidate(
    config: ServingConfig, files: Mapping[str, Path], manifest: Manifest, sites: Sequence[Site]
) -> None:
    """Load the new version on every server under a name that nobody asks for."""
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
    except BaseException as error:
        for site in sites:
            site.unload(candidate)
            site.repository.discard_candidate(config.model)
        if isinstance(error, EmbsearchError):
            raise refused(config, error) from error
        raise


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
