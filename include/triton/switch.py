"""Change what is served under a model's name, server after server; or leave everything as it was.

keep the present version beside → note what is served → for each repository: pin → for each of its servers: load, check
→ next → drop the note.

The version served until now goes on under a name of its own, so that whoever holds vectors of it (a collection, a run)
still finds it; see :mod:`include.triton.lookup`. It is loaded before the switch and dropped after a later one, so at no
moment a version that somebody needs is served nowhere. The note tells whoever comes after a switch that was killed what
to put back.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from include.errors import ContractError, EmbsearchError, FatalError, GateFailed, ServiceUnavailable
from include.model_export.manifest import Manifest
from include.triton.beside import Beside
from include.triton.config_pbtxt import ServingConfig
from include.triton.control import ServerControl
from include.triton.ensemble import remove_steps, step_names
from include.triton.probe import ProbeFigures, probe
from include.triton.sites import Site

log = logging.getLogger(__name__)


def switch(config: ServingConfig, sites: Sequence[Site], beside: Beside) -> ProbeFigures:
    """Serve ``config``, whose version lies in every repository.

    Raises:
        GateFailed: a server cannot load it, or its vectors are not the manifest's; what was served is served again,
            or the message says where it is not.
        ServiceUnavailable: a server does not answer; likewise.
    """
    before = [site.present(config.model) for site in sites]
    make_room(config, sites, beside)
    laid: list[tuple[Site, ServingConfig]] = []
    try:
        for site, old in zip(sites, before, strict=True):
            if old is not None and old.fingerprint != config.fingerprint and beside.staying([old]):
                laid.append((site, _keep_beside(site, old)))
        figures = _change(config, sites, before)
    except BaseException as error:
        left = put_back(config.model, sites)
        for site, copy in [] if left else laid:
            _drop(site, copy)
        if isinstance(error, EmbsearchError):
            raise refused(config, error, left) from error
        raise
    for site in sites:
        site.repository.forget_switch(config.model)
    for site, old in zip(sites, before, strict=True):
        _tidy(site, config, old, beside)
    return worst(figures)


def _change(config: ServingConfig, sites: Sequence[Site], before: Sequence[ServingConfig | None]) -> list[ProbeFigures]:
    for site, old in zip(sites, before, strict=True):
        site.repository.note_switch(config.model, old)
    figures = []
    for site in sites:
        site.repository.pin(config)
        for server in site.servers:
            server.load(config.model)
            figures.append(check(site, server, config))
            log.info("%s: version %d is served by %s", config.model, config.version, server.urls[0])
    return figures


def put_back(model: str, sites: Sequence[Site]) -> list[EmbsearchError]:
    """Serve what was served before a switch that did not come to its end; return what failed, a fault for each server.

    Where it failed the note stays, so that the next deploy or roll back tries again.
    """
    failed: list[EmbsearchError] = []
    for site in sites:
        noted, old = site.repository.noted_switch(model)
        if not noted:
            continue
        try:
            if old is None:
                site.repository.unpin(model)
            else:
                site.repository.pin(old)
        except OSError as error:  # a full disk
            failed.append(FatalError(f"{site.repository.root}: {error}."))
            continue
        here = [found for server in site.servers if (found := _serve_again(server, model, old))]
        if not here:
            site.repository.forget_switch(model)
        failed += here
    for found in failed:
        log.error("%s: what was served before could NOT be put back: %s", model, found)
    return failed


def recover(model: str, sites: Sequence[Site]) -> None:
    """Mend what a switch left that was killed or could not put back.

    Raises:
        ServiceUnavailable: a server does not answer.
    """
    if not any(site.repository.noted_switch(model)[0] for site in sites):
        return
    log.warning("%s: an earlier switch did not come to its end; what was served before is put back first", model)
    left = put_back(model, sites)
    if away := next((fault for fault in left if isinstance(fault, ServiceUnavailable)), None):
        msg = f"Model {model}: an earlier switch cannot be mended yet. {away}"
        raise ServiceUnavailable(msg) from away
    for site in sites:  # where the earlier version itself does not load, only another one helps
        site.repository.forget_switch(model)


def _serve_again(server: ServerControl, model: str, old: ServingConfig | None) -> EmbsearchError | None:
    """Load what is pinned, or nothing; return why that failed."""
    try:
        if old is None:
            server.unload(model)
            return None
        server.load(model)
        now = server.serving(model)
    except EmbsearchError as error:
        return error
    if now is not None and now.version == old.version:
        return None
    return ContractError(f"{server.urls[0]} serves version {now.version if now else 'none'}, not {old.version}.")


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


def refused(config: ServingConfig, error: EmbsearchError, left: Sequence[EmbsearchError] = ()) -> EmbsearchError:
    """The same kind of error, saying what it means for the service; ``left``: where nothing could be put back."""
    outcome = "What was served before still is."
    if left:
        outcome = (
            f"What was served before could NOT be put back everywhere: {' '.join(map(str, left))} When that is mended, "
            "run the same again: it begins by putting it back."
        )
    msg = f"Version {config.version} of {config.model} is not served. {error} {outcome}"
    return GateFailed(msg) if isinstance(error, GateFailed) else type(error)(msg)


def make_room(config: ServingConfig, sites: Sequence[Site], beside: Beside) -> None:
    """Before ``config`` takes memory, drop the copies that nobody needs once it is served."""
    for site in sites:
        old = site.present(config.model)
        copies = [copy for copy in site.repository.beside(config.model) if copy.fingerprint != config.fingerprint]
        leaving = [old] if old is not None and old.fingerprint != config.fingerprint else []
        others = [copy for copy in copies if copy.fingerprint not in {one.fingerprint for one in leaving}]
        staying = beside.staying([*leaving, *others])
        for copy in others:
            if copy not in staying:
                _drop(site, copy)


def _keep_beside(site: Site, old: ServingConfig) -> ServingConfig:
    """Serve ``old`` under its own name too; return how."""
    copy = site.repository.lay_beside(old)
    try:
        for server in site.servers:
            server.load(copy.model)
            check(site, server, copy)
    except BaseException as error:
        _drop(site, copy)
        if not isinstance(error, EmbsearchError):
            raise
        msg = (
            f"Version {old.version} cannot be served beside it ({error}): is there memory for both? "
            "EMBSEARCH_TRITON_BESIDE=0 does without, unless a collection needs that version."
        )
        raise type(error)(msg) from error
    log.info("%s: version %d goes on as %s", old.model, old.version, copy.model)
    return copy


def _tidy(site: Site, config: ServingConfig, old: ServingConfig | None, beside: Beside) -> None:
    """Drop from memory what nobody needs any more."""
    copies = site.repository.beside(config.model)
    staying = beside.staying([copy for copy in copies if copy.fingerprint != config.fingerprint])
    for copy in copies:
        if copy not in staying:
            _drop(site, copy)
    if old is not None and old.runtime == "tensorrt" and old.version != config.version:
        remove_steps(site.repository.root, old.model, old.version)  # a roll back writes them again
        for name in step_names(old.model, old.version):
            site.unload(name)


def _drop(site: Site, copy: ServingConfig) -> None:
    site.unload(copy.model)
    site.repository.drop_beside(copy)
