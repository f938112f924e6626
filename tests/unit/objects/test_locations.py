"""Only what the settings allow has an address."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.errors import InputError
from include.objects.locations import Allowed, Location, NotAllowed
from include.settings import Settings


def allowed(**settings: str) -> Allowed:
    return Allowed.from_settings(Settings(_env_file=None, **{"images_roots": "", "images_stores": "", **settings}))


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("/data/a b.jpg", "file:///data/a%20b.jpg"),
        ("file:///data/a%20b.jpg", "file:///data/a%20b.jpg"),
        ("/data//./x/자동차.jpg", "file:///data/x/%EC%9E%90%EB%8F%99%EC%B0%A8.jpg"),
        ("s3://images/a%20b*.jpg", "s3://images/a%20b*.jpg"),
    ],
)
def test_an_address_has_one_spelling(address: str, url: str) -> None:
    assert Location.of(address).url == url
    assert Location.of(url).url == url


@pytest.mark.parametrize(
    "address",
    [
        "", "x" * 2049, "/a\0b", "/a\nb", "file:///a%00b", "file:///a%0Ab",  # nothing, too long, control characters
        "picture.jpg", "../etc/passwd", "/data/../etc/passwd", "file:///data/%2e%2e/etc/passwd",  # ways out
        "file://server/share", "file:/etc/passwd", "FILE:///etc/passwd",
        "http://169.254.169.254/latest/meta-data", "https://images/x", "ftp://images/x", "gopher://x", "data:,x",
        "s3://", "s3://images", "s3://images/", "s3://images//x", "s3://images/../other/x", "s3://images/./x",
        "s3://user:password@images/x", "s3://im ages/x", "s3://IMAGES/x", "S3://images/x", "s3:///x",
        "simplecache::s3://images/x", "s3://localhost:9000/x",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError):
        Location.of(address)


@pytest.mark.parametrize("address", ["s3://images/x", "s3://images/a/b/c", "s3://other/queries/x"])
def test_what_is_below_a_store_passes(address: str) -> None:
    allowed(images_stores="s3://images, s3://other/queries/").check(Location.of(address))


@pytest.mark.parametrize("address", ["s3://images2/x", "s3://other/x", "s3://other/queries", "s3://other/queries2/x"])
def test_what_only_begins_like_a_store_is_refused(address: str) -> None:
    with pytest.raises(NotAllowed, match="outside of the allowed stores"):
        allowed(images_stores="s3://images,s3://other/queries/").check(Location.of(address))


def test_nothing_passes_where_nothing_is_allowed() -> None:
    for address in ("/etc/passwd", "s3://images/x", "file:///tmp/x"):
        with pytest.raises(NotAllowed):
            allowed().check(Location.of(address))


def test_a_link_leads_nowhere_else(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (tmp_path / "elsewhere").mkdir()
    root.mkdir()
    (root / "out").symlink_to(tmp_path / "elsewhere")
    (root / "in").symlink_to(root)
    rules = allowed(images_roots=str(root))

    rules.check(Location.of(str(root / "in" / "x.jpg")))
    with pytest.raises(NotAllowed):
        rules.check(Location.of(str(root / "out" / "x.jpg")))


def test_a_folder_next_to_a_root_is_not_in_it(tmp_path: Path) -> None:
    with pytest.raises(NotAllowed):
        allowed(images_roots=str(tmp_path / "images")).check(Location.of(str(tmp_path / "images2" / "x.jpg")))


def test_what_is_there_and_what_is_not_are_refused_in_the_same_words(tmp_path: Path) -> None:
    (tmp_path / "x1").write_text("secret")
    said = []
    for name in ("x1", "x2"):
        with pytest.raises(NotAllowed) as error:
            allowed(images_roots=str(tmp_path / "root")).check(Location.of(str(tmp_path / name)))
        said.append(str(error.value).replace(f"/{name} ", "/x "))
    assert said[0] == said[1]


@pytest.mark.parametrize("stores", ["images", "http://images/x", "s3://", "file://server/x", "s3://images,/data"])
def test_stores_that_cannot_be_understood_are_refused(stores: str) -> None:
    with pytest.raises(InputError, match="EMBSEARCH_IMAGES_STORES"):
        allowed(images_stores=stores)
