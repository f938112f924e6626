"""What is downloaded is what was expected, or nothing; the sentence says how to mend it."""

from __future__ import annotations

import errno
import hashlib
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import maven_artifact.requestor
import pytest
import requests

from include.errors import SetupError
from include.local_stack.artifacts import MavenArtifact, fetch
from include.settings import Settings

CONTENT = b"content " * 150_000  # 1.2 MB
ARTIFACT = MavenArtifact("org.example", "thing", "1.0", "zip", len(CONTENT), hashlib.sha512(CONTENT).hexdigest())


class Repository:
    """Answers ``requests.get`` with ``content``, or with what ``fail`` raises."""

    def __init__(self) -> None:
        self.content, self.status, self.asked = CONTENT, 200, 0
        self.fail: Callable[[], None] = lambda: None

    def get(self, address: str, **options: Any) -> requests.Response:
        self.asked += 1
        self.fail()
        response = requests.Response()
        response.status_code, response.url, response.raw = self.status, address, io.BytesIO(self.content)
        return response


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = Repository()
    monkeypatch.setattr(maven_artifact.requestor.requests, "get", made.get)
    return made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache_dir=tmp_path / "cache")


@contextmanager
def refused(repository: Repository, settings: Settings, because: str) -> Iterator[None]:
    with pytest.raises(SetupError, match=because) as caught:
        yield
    assert "http" not in str(caught.value)  # no address of a server
    assert [path.name for path in settings.cache_folder.iterdir() if not path.name.endswith(".lock")] == []


def test_a_download_is_announced_kept_and_not_repeated(
    repository: Repository,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    path = fetch(ARTIFACT, settings)
    assert path.read_bytes() == CONTENT
    assert caplog.messages == ["Downloading org.example:thing:zip:1.0 (1 MB)"]
    assert fetch(ARTIFACT, settings) == path
    assert repository.asked == 1
    assert capfd.readouterr().out == ""


def test_a_cached_file_that_was_damaged_is_fetched_anew(repository: Repository, settings: Settings) -> None:
    path = fetch(ARTIFACT, settings)
    path.write_bytes(CONTENT[:-1])
    assert fetch(ARTIFACT, settings).read_bytes() == CONTENT
    assert repository.asked == 2


def test_other_content_than_expected_is_not_kept(repository: Repository, settings: Settings) -> None:
    repository.content = b"<html>log in to the network</html>"
    with refused(repository, settings, "came with other content than expected.*not kept"):
        fetch(ARTIFACT, settings)


def test_a_size_that_is_announced_wrongly_is_found(repository: Repository, settings: Settings) -> None:
    with refused(repository, settings, r"1,200,000 bytes.*instead of 99 bytes"):
        fetch(replace(ARTIFACT, size=99), settings)


def test_an_artifact_that_is_not_there_is_told_by_its_coordinates(repository: Repository, settings: Settings) -> None:
    repository.status = 404
    with refused(repository, settings, r"org\.example:thing:zip:1\.0 \(1 MB\): HTTP 404.*proxy"):
        fetch(ARTIFACT, settings)


def test_no_network_is_told_without_an_address(repository: Repository, settings: Settings) -> None:
    def fail() -> None:
        raise requests.ConnectionError("http://the.address.of/a-server refused")

    repository.fail = fail
    with refused(repository, settings, "Could not download .*ConnectionError. Check the network"):
        fetch(ARTIFACT, settings)


def test_a_certificate_that_is_not_trusted_is_told_with_what_to_do(repository: Repository, settings: Settings) -> None:
    def fail() -> None:
        raise requests.exceptions.SSLError("http://the.address.of/a-server: self-signed certificate in chain")

    repository.fail = fail
    with refused(repository, settings, "Could not download .*SSLError.*certificate of its own.*REQUESTS_CA_BUNDLE"):
        fetch(ARTIFACT, settings)


def test_a_full_disk_is_told_with_what_to_do(repository: Repository, settings: Settings) -> None:
    def fail() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    repository.content = b""
    settings.cache_folder.mkdir()
    with (
        refused(repository, settings, "No room left to write .*EMBSEARCH_CACHE_DIR"),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(Path, "replace", lambda *_: fail())
        repository.content = CONTENT
        fetch(ARTIFACT, settings)
