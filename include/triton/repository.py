"""Triton's model repository on disk: ``<model>/config.pbtxt`` names the served one of ``<model>/<version>/``.

A version's folder holds the graph, its tokenizer, the model's code, the manifest, and the ``config.pbtxt`` that serves
it, so that going back is copying one file. A new version is staged as a model of its own, ``<model>-candidate``, which
the server can load and no user asks for; once checked it is renamed into place. An earlier version that is served
beside the present one is a model of its own too, whose version folder is a link.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from include.errors import ContractError, InputError
from include.generations.files import sha256_of, sync_folder, write_text
from include.model_export.manifest import Manifest
from include.triton.config_pbtxt import CONFIG, ServingConfig
from include.triton.ensemble import remove_steps, write_steps
from include.triton.names import beside_name, candidate_name, is_beside


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

    def next_version(self, model: str) -> int:
        """A number that no version had, not even one that was taken away: clients remember versions by number."""
        return max([*self.versions(model), self._last_version(model)], default=0) + 1

    def _last_version(self, model: str) -> int:
        path = self._counter(model)
        return int(path.read_text(encoding="utf-8")) if path.is_file() else 0

    def _counter(self, model: str) -> Path:
        return self.root / f".{model}.last_version"

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

    def find(self, model: str, build: str) -> ServingConfig | None:
        """The newest kept version of the same build; whether its files are whole is not asked."""
        kept = [self.config_of(model, version) for version in self.versions(model)]
        return next((config for config in reversed(kept) if config.build == build), None)

    def stage(self, config: ServingConfig, files: Mapping[str, Path], manifest: Manifest) -> str:
        """Lay ``files`` (name → source) out as the candidate of ``config.model``; return the candidate's name.

        Raises:
            ContractError: a copy is not what the manifest says.
        """
        name = candidate_name(config.model)
        self.discard_candidate(config.model)
        folder = self.folder(name, 1)
        folder.mkdir(parents=True)
        for target, source in files.items():
            shutil.copyfile(source, folder / target)
            with (folder / target).open("rb") as file:
                os.fsync(file.fileno())
        self.check_files(name, 1, files, manifest)
        manifest.write(folder)
        config.write(folder / CONFIG)
        self.pin(config.of(model=name, version=1))
        return name

    def check_files(self, model: str, version: int, files: Mapping[str, Path], manifest: Manifest) -> None:
        """Compare the files of a version with the manifest, and those that it does not name with their source.

        Raises:
            ContractError: one is missing or differs.
        """
        for name, source in files.items():
            path = self.folder(model, version) / name
            if not path.is_file() or sha256_of(path) != (manifest.files.get(name) or sha256_of(source)):
                msg = f"{path} is not a whole copy of {source}. Is the disk full or failing? Deploy the model again."
                raise ContractError(msg)

    def accept_candidate(self, config: ServingConfig) -> None:
        """Rename the staged folder to the version of ``config``, in one step; nothing is served by that yet."""
        target = self.folder(config.model, config.version)
        target.parent.mkdir(exist_ok=True)
        write_text(self._counter(config.model), str(config.version))
        staged = self.folder(candidate_name(config.model), 1)
        sync_folder(staged)
        staged.rename(target)
        sync_folder(target.parent)
        self.discard_candidate(config.model)

    def discard_candidate(self, model: str) -> None:
        """Remove what an earlier deploy may have left."""
        remove_steps(self.root, candidate_name(model), 1)
        shutil.rmtree(self.folder(candidate_name(model)), ignore_errors=True)

    def pin(self, config: ServingConfig) -> None:
        """Make ``config`` the one that a server loads, now or after a restart."""
        if config.runtime == "tensorrt":
            write_steps(self.root, config)
        config.write(self.folder(config.model) / CONFIG)

    def unpin(self, model: str) -> None:
        """A server loads nothing for ``model``: the state before its first deploy."""
        (self.folder(model) / CONFIG).unlink(missing_ok=True)

    def note_switch(self, model: str, old: ServingConfig | None) -> None:
        """Keep what is served until a switch is at its end; ``None``: nothing."""
        write_text(self._switch_note(model), old.render() if old is not None else "")

    def noted_switch(self, model: str) -> tuple[bool, ServingConfig | None]:
        """Whether a switch did not come to its end, and what was served before it."""
        path = self._switch_note(model)
        text = path.read_text(encoding="utf-8") if path.is_file() else None
        return text is not None, ServingConfig.parse(text, where=str(path)) if text else None

    def forget_switch(self, model: str) -> None:
        """The switch is at its end, or what it changed is put back."""
        self._switch_note(model).unlink(missing_ok=True)

    def _switch_note(self, model: str) -> Path:
        return self.root / f".{model}.switching"

    def remove(self, model: str, version: int) -> None:
        """Delete a version that is not served.

        Raises:
            InputError: it is the served one.
        """
        served = self.served(model)
        if served is not None and served.version == version:
            msg = f"Version {version} of {model} is being served. Roll back or deploy another one first."
            raise InputError(msg)
        remove_steps(self.root, model, version)
        shutil.rmtree(self.folder(model, version), ignore_errors=True)

    def prune(self, model: str, *, keep: int, needed: Collection[str] | None = ()) -> list[int]:
        """Delete all but the newest ``keep`` versions.

        Never one that is served, nor the one to go back to, nor one of a ``needed`` fingerprint; where those are not
        known (``None``), nothing is deleted.
        """
        if needed is None:
            return []
        served = self.served(model)
        spared = {beside.version for beside in self.beside(model)}
        if served is not None:
            spared |= {served.version, served.previous}
        old = [version for version in self.versions(model)[:-keep] if version not in spared]
        gone = [version for version in old if self.config_of(model, version).fingerprint not in needed]
        for version in gone:
            self.remove(model, version)
        return gone

    def beside(self, model: str) -> list[ServingConfig]:
        """Earlier versions that are served beside the present one, under names of their own; the latest first."""
        found = [path / CONFIG for path in self.root.glob(f"{model}-*") if is_beside(path.name, model)]
        found = sorted((path for path in found if path.is_file()), key=lambda path: path.stat().st_mtime_ns)
        return [ServingConfig.parse(path.read_text(encoding="utf-8"), where=str(path)) for path in reversed(found)]

    def lay_beside(self, config: ServingConfig) -> ServingConfig:
        """Make the version of ``config`` a model that is served beside whatever is under its own name."""
        beside = config.of(model=beside_name(config.model, config.fingerprint), version=config.version)
        folder = self.folder(beside.model, beside.version)
        folder.parent.mkdir(exist_ok=True)
        folder.unlink(missing_ok=True)
        folder.symlink_to(Path("..") / config.model / str(config.version), target_is_directory=True)
        self.pin(beside)
        return beside

    def drop_beside(self, beside: ServingConfig) -> None:
        """The opposite of :meth:`lay_beside`; the version itself stays."""
        remove_steps(self.root, beside.model, beside.version)
        shutil.rmtree(self.folder(beside.model), ignore_errors=True)
