"""Where models are deployed to: repositories, and the servers that read each."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from include.errors import ContractError, EmbsearchError, InputError
from include.settings import PROJECT_ROOT, Settings
from include.triton.config_pbtxt import ServingConfig
from include.triton.control import ServerControl
from include.triton.repository import ModelRepository

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Site:
    """A repository and its servers, in the order in which they are changed."""

    repository: ModelRepository
    servers: tuple[ServerControl, ...]  # of one URL each

    def present(self, model: str) -> ServingConfig | None:
        """What is served under ``model``. A broken ``config.pbtxt`` is written anew from what the first server says.

        Raises:
            ServiceUnavailable: the file is broken and the server does not answer.
        """
        try:
            return self.repository.served(model)
        except ContractError as error:
            serving = self.servers[0].serving(model)
            log.warning("%s It is written anew from what the server says.", error)
            if serving is None:
                self.repository.unpin(model)
            else:
                self.repository.pin(serving)
            return serving

    def unload(self, model: str) -> None:
        """Unload ``model`` everywhere; a server that does not answer is told, and does not stop the others."""
        for server in self.servers:
            try:
                server.unload(model)
            except EmbsearchError as error:
                log.warning("%s could not be unloaded: %s", model, error)


def sites_of(settings: Settings) -> tuple[Site, ...]:
    """One repository for all servers, or one for each.

    Raises:
        InputError: there are not as many repositories as servers.
    """
    servers = [ServerControl([url.strip()]) for url in settings.kserve_grpc_url.split(",") if url.strip()]
    folders = [folder.strip() for folder in settings.model_repositories.split(",") if folder.strip()]
    if not folders:
        return (Site(ModelRepository(settings.model_repository), tuple(servers)),)
    if len(folders) != len(servers):
        msg = f"model_repositories has {len(folders)} folders for {len(servers)} servers: give one for each, or none."
        raise InputError(msg)
    read_by: dict[Path, list[ServerControl]] = {}
    for folder, server in zip(folders, servers, strict=True):
        read_by.setdefault(PROJECT_ROOT / folder, []).append(server)
    return tuple(Site(ModelRepository(root), tuple(its_servers)) for root, its_servers in read_by.items())
