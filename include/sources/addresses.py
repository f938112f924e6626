"""Whether two URLs name the same server, however each of them is written."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from include.settings import PROJECT_ROOT

PORTS = {"https": 443}  # without a port, http is 9200 to one client and 6333 to another
FOLDERS = ("edge", "exact")  # vector stores without a server: the folder is the place


def same_server(one: str, other: str) -> bool:
    """Whether ``one`` and ``other`` lead to the same place.

    ``localhost`` and its addresses are one host; a slash at the end, capital letters, the port of https
    and a folder's relative path make no difference. Lists by commas name the nodes of a cluster: one in common is
    enough, since a node belongs to one cluster.
    """
    return not _places(one).isdisjoint(_places(other))


def _places(urls: str) -> set[tuple[object, ...]]:
    scheme, _, folder = urls.partition(":")
    if scheme in FOLDERS:
        return {(scheme, (PROJECT_ROOT / Path(folder).expanduser()).resolve())}
    return {_place(url.strip()) for url in urls.split(",") if url.strip()}


def _place(url: str) -> tuple[object, ...]:
    with suppress(ValueError):  # no port, or no address in the brackets: only the same text is the same place then
        parts = urlsplit(url)
        if parts.hostname is not None:
            return parts.scheme, _host(parts.hostname), parts.port or PORTS.get(parts.scheme), parts.path.rstrip("/")
    return (url,)


def _host(name: str) -> str:
    with suppress(ValueError):  # a name, and no address
        return "localhost" if ip_address(name).is_loopback else name
    return name
