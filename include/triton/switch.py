"""Change what is served under a model's name, server after server; or leave everything as it was.

keep the present version beside → for each repository: pin → for each of its servers: load, check → next.

The version served until now goes on under a name of its own, so that whoever holds vectors of it (a collection, a run)
still finds it; see :mod:`include.triton.lookup`. It is loaded before the switch and dropped after a later one, so at no
moment a version that somebody may need is served nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from include.errors import EmbsearchError, GateFailed
from include.model_export.manifest import Manifest
from include.triton.config_pbtxt import ServingConfig
from include.triton.control import ServerControl
from include.triton.ensemble import remove_steps, step_names
from include.triton.probe import ProbeFigures, probe
from include.triton.sites import Site

log = logging.getLogger(__name__)


def switch(config: ServingConfig, sites: Sequence[Site], *, beside: int) -> ProbeFigures:
    """Serve ``config``, whose version lies in every repository; ``beside`` earlier versions stay in memory.

    Raises:
        GateFailed: a server cannot load it, or its vectors are not the manifest's; what was served is served again.
        ServiceUnavailable: a server does not answer; likewise.
    """
    before = [site.present(config.model) for site in sites]
    laid: list[tuple[Site, ServingConfig]] = []
    switched: list[tuple[Site, ServingConfig | None, ServerControl]] = []
    figures = []
    try:
        for site, old in zip(sites, before, strict=True):
            if beside and old is not None and old.fingerprint != config.fingerprint:
                laid.append((site, _keep_beside(site, old)))
        for site, old in zip(sites, before, strict=True):
            for server in site.servers:
                switched.append((site, old, server))
                if server is site.servers[0]:
                    site.repository.pin(config)
                server.load(config.model)
                figures.append(check(site, server, config))
                log.info("%s: version %d is served by %s", config.model, config.version, server.urls[0])
    except EmbsearchError as error:
        _put_back(config.model, switched)
        for site, copy in laid:
            _drop(site, copy)
        raise refused(config, error) from error
    for site, old in zip(sites, before, strict=True):
        _tidy(site, config, old, beside)
    return worst(figures)


def check(site: Site, server: ServerControl, config: ServingConfig) -> ProbeFigures:
    """Compare the vectors of a loaded version with those of its manifest.

    Raises:
        GateFailed, ServiceUnavailable: see :func:`~include.triton.probe.probe`.
    """
    folder = site.repository.folder(config.model, config.version)
    return probe(server, config.model, Manifest.read(folder), folder=folder, precision=config.precision)


def worst(figures: Sequence[ProbeFigures]) -> ProbeFigures:
    """Over all servers."""
    return ProbeFigures(
        texts=max(one.texts for one in figures),
        min_cosine=min(one.min_cosine for one in figures),
        max_norm_error=max(one.max_norm_error for one in figures),
        seconds=round(sum(one.seconds for one in figures), 3),
    )


def refused(config: ServingConfig, error: EmbsearchError) -> EmbsearchError:
    """The same kind of error, saying what it means for the service."""
    msg = f"Version {config.version} of {config.model} is not served. {error} What was served before still is."
    return GateFailed(msg) if isinstance(error, GateFailed) else type(error)(msg)


def _keep_beside(site: Site, old: ServingConfig) -> ServingConfig:
    """Serve ``old`` under its own name too; return how."""
    copy = site.repository.lay_beside(old)
    try:
        for server in site.servers:
            server.load(copy.model)
            check(site, server, copy)
    except EmbsearchError as error:
        _drop(site, copy)
        msg = (
            f"Version {old.version} cannot be served beside it ({error}): is there memory for both? "
            "EMBSEARCH_TRITON_BESIDE=0 does without."
        )
        raise type(error)(msg) from error
    log.info("%s: version %d goes on as %s", old.model, old.version, copy.model)
    return copy


def _put_back(model: str, switched: Sequence[tuple[Site, ServingConfig | None, ServerControl]]) -> None:
    """Pin what was served where it was replaced, and load it on the servers that were changed."""
    for site, old, _ in switched:
        if old is not None:
            site.repository.pin(old)
        else:
            site.repository.unpin(model)
            site.unload(model)
    for _, old, server in switched:
        if old is None:
            continue
        try:
            server.load(model)
        except EmbsearchError:
            log.exception("%s: version %d is pinned again but could not be loaded", model, old.version)


def _tidy(site: Site, config: ServingConfig, old: ServingConfig | None, beside: int) -> None:
    """Drop from memory what nobody needs any more."""
    others = [copy for copy in site.repository.beside(config.model) if copy.fingerprint != config.fingerprint]
    for copy in site.repository.beside(config.model):
        if copy not in others[:beside]:
            _drop(site, copy)
    if old is not None and old.runtime == "tensorrt" and old.version != config.version:
        remove_steps(site.repository.root, old.model, old.version)  # a roll back writes them again
        for name in step_names(old.model, old.version):
            site.unload(name)


def _drop(site: Site, copy: ServingConfig) -> None:
    site.unload(copy.model)
    site.repository.drop_beside(copy)
