"""Artifacts of Maven repositories, fetched by coordinates into a cache and checked by a pinned SHA-512."""

from __future__ import annotations

import errno
import hashlib
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import requests

from include.errors import SetupError
from include.generations.files import replacing
from include.generations.locks import locked
from include.local_stack.access import let_all_read
from include.settings import Settings

log = logging.getLogger(__name__)

CHUNK = 1 << 20
REPORT_SECONDS = 5.0
SILENCE_SECONDS = 60.0  # give up when nothing comes for this long
WAIT_FOR_OTHER_SECONDS = 1800.0  # another process fetches the same file


@dataclass(frozen=True)
class MavenArtifact:
    """What to fetch, how large it is, and the digest that it must have."""

    group: str
    name: str
    version: str
    extension: str
    size: int  # bytes
    sha512: str  # hex

    @property
    def coordinates(self) -> str:
        """``group:name:extension:version``."""
        return f"{self.group}:{self.name}:{self.extension}:{self.version}"

    @property
    def file_name(self) -> str:
        """Its name in the cache."""
        return f"{self.group}-{self.name}-{self.version}.{self.extension}"


def fetch(artifact: MavenArtifact, settings: Settings) -> Path:
    """The artifact's file in the cache; downloaded unless it is there with the right digest.

    Raises:
        SetupError: the download fails, brings other bytes than expected, or there is no room for it.
    """
    target = settings.cache_folder / artifact.file_name
    with (
        _writing(target),
        locked(
            target.with_name(f".{target.name}.lock"),
            purpose=f"fetch {artifact.name}",
            wait_seconds=WAIT_FOR_OTHER_SECONDS,
        ),
    ):
        if not target.exists() or sha512_of(target) != artifact.sha512:
            with replacing(target) as temporary:
                _download(artifact, temporary)
    return target


@contextmanager
def unpacking(archive: Path, target: Path, *, megabytes: int) -> Iterator[Path]:
    """A folder to unpack ``archive`` into, which becomes ``target`` when all is in it, and readable for the servers.

    Raises:
        SetupError: it cannot be written; ``megabytes`` says how much room is needed.
    """
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        let_all_read(temporary)
        temporary.rename(target)
    except OSError as error:
        msg = f"Cannot unpack {archive.name} to {target.parent}: {error.strerror}. It takes {megabytes} MB there."
        raise SetupError(msg) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sha512_of(path: Path) -> str:
    """Hex SHA-512 of a file, read in chunks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha512").hexdigest()


def _download(artifact: MavenArtifact, target: Path) -> None:
    log.info("Downloading %s (%s)", artifact.coordinates, _megabytes(artifact.size))
    digest = hashlib.sha512()
    done, reported = 0, time.monotonic()
    with target.open("wb") as file:
        for chunk in _chunks(artifact):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                log.info("%s: %s of %s", artifact.name, _megabytes(done), _megabytes(artifact.size))
    if digest.hexdigest() != artifact.sha512 or done != artifact.size:
        msg = (
            f"{artifact.coordinates} came with other content than expected ({done:,} bytes, SHA-512 "
            f"{digest.hexdigest()[:16]}… instead of {artifact.size:,} bytes, {artifact.sha512[:16]}…). "
            "It was not kept. Run this again; when it stays so, a proxy or a mirror serves something else."
        )
        raise SetupError(msg)


def _chunks(artifact: MavenArtifact) -> Iterator[bytes]:
    """The artifact's bytes. The package's own ``download`` would print the address and keep an unfinished file."""
    from maven_artifact import Artifact, Downloader  # noqa: PLC0415 — only needed on the first start

    downloader = Downloader()
    wanted = Artifact(artifact.group, artifact.name, artifact.version, extension=artifact.extension)
    address = downloader.resolver.uri_for_artifact(wanted)
    try:
        with downloader.requestor.request(address, _failed(artifact), stream=True, timeout=SILENCE_SECONDS) as response:
            yield from response.iter_content(chunk_size=CHUNK)
    except requests.RequestException as error:
        _failed(artifact)(address, error)


def _failed(artifact: MavenArtifact) -> Any:
    """What the requestor calls on an error; the message leaves out the address, which the error would tell."""

    def fail(_address: str, error: Exception) -> NoReturn:
        status = getattr(getattr(error, "response", None), "status_code", None)
        reason = f"HTTP {status}" if status else type(error).__name__
        remedy = "Check the network and the proxy settings"
        if isinstance(error, requests.exceptions.SSLError):
            remedy = "Where a proxy has a certificate of its own, name a file that holds it in REQUESTS_CA_BUNDLE"
        msg = (
            f"Could not download {artifact.coordinates} ({_megabytes(artifact.size)}): {reason}. "
            f"{remedy}, then run this again."
        )
        raise SetupError(msg) from None

    return fail


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            msg = f"No room left to write {target}. Free some space, or set EMBSEARCH_CACHE_DIR to another disk."
        else:
            msg = f"Cannot write {target}: {error.strerror}. Set EMBSEARCH_CACHE_DIR to a folder that can be written."
        raise SetupError(msg) from error


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
