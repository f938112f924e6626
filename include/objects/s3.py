"""Objects of an S3 store, by s3fs: each call is bounded in seconds, each failure is one of this project's."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeVar

from include.objects.faults import BucketMissing, bounded, object_faults
from include.objects.locations import Location

if TYPE_CHECKING:
    from s3fs import S3FileSystem

    from include.settings import Settings

PIECE = 1 << 18
PART = 8 << 20  # of an upload in several parts

Result = TypeVar("Result")


@dataclass(frozen=True)
class S3Access:
    """Where the store is and who asks; the key and its secret never appear in the ``repr``."""

    endpoint: str | None
    region: str
    key: str | None = field(repr=False)
    secret: str | None = field(repr=False)
    connect_seconds: float
    read_seconds: float  # without a byte
    total_seconds: float  # for one object
    attempts: int

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The ``images_s3_…`` settings."""
        key, secret = settings.images_s3_key, settings.images_s3_secret
        return cls(
            endpoint=settings.images_s3_endpoint or None,
            region=settings.images_s3_region,
            key=key.get_secret_value() if key else None,
            secret=secret.get_secret_value() if secret else None,
            connect_seconds=settings.images_s3_connect_seconds,
            read_seconds=settings.images_s3_read_seconds,
            total_seconds=settings.images_s3_total_seconds,
            attempts=settings.images_s3_retries + 1,
        )

    @property
    def name(self) -> str:
        """For messages."""
        return self.endpoint or f"AWS {self.region}"

    def connect(self) -> S3FileSystem:
        """A client of its own; s3fs would share it, and its secret, with whoever asks for equal options."""
        from s3fs import S3FileSystem  # noqa: PLC0415 — both take half a second to import

        from include.objects.s3_session import StayingSession  # noqa: PLC0415

        client = S3FileSystem(
            key=self.key,
            secret=self.secret,
            endpoint_url=self.endpoint,
            client_kwargs={"region_name": self.region},
            config_kwargs={
                "connect_timeout": self.connect_seconds,
                "read_timeout": self.read_seconds,
                "retries": {"total_max_attempts": self.attempts, "mode": "standard"},
                "s3": {"addressing_style": "path"},
                "http_session_cls": StayingSession,
            },
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        client.retries = 1  # botocore tries again by itself
        return client


@dataclass(frozen=True)
class S3Objects:
    """Reads, writes and deletes; what may be touched was checked before. Safe from several threads."""

    access: S3Access

    def copy(self, location: Location, target: BinaryIO, most_bytes: int) -> None:
        """Write all bytes of an object to ``target``; more than ``most_bytes`` raise ``TooLarge``."""
        self._done(location, self._fetch(location, target, most_bytes))

    def head(self, location: Location) -> dict[str, Any]:
        """What the store says of an object."""
        return self._done(location, self._head(location))

    def put(self, location: Location, data: bytes | Path, content_type: str) -> None:
        """Store bytes or a file, in parts when there is more than :data:`PART`."""
        target, kind = f"{location.bucket}/{location.key}", content_type
        if isinstance(data, Path):
            self._done(location, self._client._put_file(str(data), target, chunksize=PART, ContentType=kind))
        else:
            self._done(location, self._client._pipe_file(target, data, chunksize=PART, ContentType=kind))

    def delete(self, location: Location) -> None:
        """Take one object away; ``rm`` of s3fs would take ``*`` and ``?`` in a key for a pattern."""
        where = {"Bucket": location.bucket, "Key": location.key}
        self._done(location, self._client._call_s3("delete_object", **where))

    def link(self, location: Location, seconds: int) -> str:
        """A URL that opens the object without a key for a while."""
        with object_faults(location.url, self.access.name):
            return str(self._client.url(f"{location.bucket}/{location.key}", expires=seconds))

    @cached_property
    def _client(self) -> S3FileSystem:
        return self.access.connect()

    async def _head(self, location: Location) -> dict[str, Any]:
        """A HEAD has no body to say whether the bucket or the object is missing: the bucket is asked for then."""
        where = {"Bucket": location.bucket}
        try:
            found: dict[str, Any] = await self._client._call_s3("head_object", **where, Key=location.key)
        except FileNotFoundError as error:
            try:
                await self._client._call_s3("head_bucket", **where)
            except FileNotFoundError:
                msg = f"{location.url}: the store at {self.access.name} has no bucket {location.bucket!r}."
                raise BucketMissing(msg) from error
            raise
        return found

    async def _fetch(self, location: Location, target: BinaryIO, most_bytes: int) -> None:
        answer = await self._client._call_s3("get_object", Bucket=location.bucket, Key=location.key)
        async with answer["Body"] as body:
            bounded(location.url, int(answer.get("ContentLength") or 0), most_bytes)
            copied = 0
            while part := await body.read(PIECE):
                copied += len(part)
                bounded(location.url, copied, most_bytes)
                target.write(part)

    def _done(self, location: Location, call: Coroutine[Any, Any, Result]) -> Result:
        """The answer to ``call``, given within the seconds that one object may take."""
        from fsspec.asyn import sync  # noqa: PLC0415

        with object_faults(location.url, self.access.name):
            found: Result = sync(self._client.loop, lambda: call, timeout=self.access.total_seconds)
            return found
