"""Triton's model repository on disk: ``<model>/config.pbtxt`` names the served one of ``<model>/<version>/``.

A version's folder holds the graph, its tokenizer, the model's code, the manifest, and the ``config.pbtxt`` that serves
it, so that going back is copying one file. A new version is staged as a model of its own, ``<model>-candidate``, which
the server can load and no user asks for; once checked it is renamed into place.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from include.errors import InputError
from include.generations.files import sync_folder
from include.triton.config_pbtxt import CONFIG, ServingConfig

CANDIDATE = "-candidate"


@dataclass(frozen=True)
class ModelRepository:
    """All models under one folder."""

    root: Path

    def folder(self, model: str, version: int | None = None) -> Path:
        """The folder of a model, or of one of its versions."""
        return self.root / model if version is None else self.root / model / str(version)

    def lock(self, model: str) -> Path:
        """The file that deploys of ``model`` lock."""
        return self.root / f".{model}.lock"

    def versions(self, model: str) -> list[int]:
        """Versions on disk, oldest first."""
        folder = self.folder(model)
        if not folder.is_dir():
            return []
        return sorted(int(path.name) for path in folder.iterdir() if path.is_dir() and path.name.isdecimal())

    def served(self, model: str) -> ServingConfig | None:
        """The configuration that a server loads now, or ``None`` before the first deploy.

        Raises:
            ContractError: the file was not written by this project.
        """
        path = self.folder(model) / CONFIG
        return ServingConfig.parse(path.read_text(encoding="utf-8"), where=str(path)) if path.is_file() else None

    def config_of(self, model: str, version: int) -> ServingConfig:
        """The configuration that serves ``version``.

        Raises:
            InputError: there is no such version.
        """
        path = self.folder(model, version) / CONFIG
        if not path.is_file():
            there = ", ".join(map(str, self.versions(model))) or "none"
            msg = f"Model {model} has no version {version} in {self.root}. Versions there: {there}."
            raise InputError(msg)
        return ServingConfig.parse(path.read_text(encoding="utf-8"), where=str(path))

    def stage(self, config: ServingConfig, files: dict[str, Path]) -> str:
        """Lay ``files`` (name → source) out as the candidate of ``config.model``; return the candidate's name."""
        name = config.model + CANDIDATE
        self.discard_candidate(config.model)
        folder = self.folder(name, 1)
        folder.mkdir(parents=True)
        for target, source in files.items():
            shutil.copyfile(source, folder / target)
        config.write(folder / CONFIG)
        config.of(model=name, version=1).write(self.folder(name) / CONFIG)
        return name

    def accept_candidate(self, config: ServingConfig) -> None:
        """Rename the staged folder to the version of ``config``, in one step; nothing is served by that yet."""
        target = self.folder(config.model, config.version)
        target.parent.mkdir(exist_ok=True)
        self.folder(config.model + CANDIDATE, 1).rename(target)
        sync_folder(target.parent)
        self.discard_candidate(config.model)

    def discard_candidate(self, model: str) -> None:
        """Remove what an earlier deploy may have left."""
        shutil.rmtree(self.folder(model + CANDIDATE), ignore_errors=True)

    def pin(self, config: ServingConfig) -> None:
        """Make ``config`` the one that a server loads, now or after a restart."""
        config.write(self.folder(config.model) / CONFIG)

    def unpin(self, model: str) -> None:
        """A server loads nothing for ``model``: the state before its first deploy."""
        (self.folder(model) / CONFIG).unlink(missing_ok=True)

    def remove(self, model: str, version: int) -> None:
        """Delete a version that is not served.

        Raises:
            InputError: it is the served one.
        """
        served = self.served(model)
        if served is not None and served.version == version:
            msg = f"Version {version} of {model} is being served. Roll back or deploy another one first."
            raise InputError(msg)
        shutil.rmtree(self.folder(model, version), ignore_errors=True)
