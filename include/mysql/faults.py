"""What MySQL's refusals mean to a user: the driver's exceptions as this project's.

The numbers are the server's own, the same in MySQL and MariaDB; 2xxx are the client's.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from pymysql.err import Error, OperationalError

from include.errors import AccessDenied, EmbsearchError, FatalError, InputError, ServiceUnavailable
from include.settings import PREFIX

# No connection, or lost; too many; the server is ending; a lock or a dead lock; the connection or its query was killed;
# the server's own limit of a statement's time. 0 stands for the driver's errors that have no number.
TRANSIENT = frozenset(
    {0, 1040, 1053, 1152, 1159, 1160, 1161, 1203, 1205, 1213, 1317, 1927, 1969, 2002, 2003, 2006, 2013, 2055, 3024}
)
START_IT = "{text}. Start it (`make up` starts the local one), or correct {prefix}_URL."
REFUSED = "{text}. Check {prefix}_USER and {prefix}_PASSWORD, and what this user may do."
WHAT_TO_DO: dict[int, tuple[type[EmbsearchError], str]] = {
    **dict.fromkeys(TRANSIENT, (ServiceUnavailable, START_IT)),
    **dict.fromkeys((1044, 1045, 1130, 1142, 1143, 1227, 1370, 1698, 1820, 1862, 4151), (AccessDenied, REFUSED)),
    **dict.fromkeys((1290, 1792, 1836), (FatalError, "{text}. This server or this login only reads.")),
    1049: (InputError, "{text}. Correct {prefix}_URL."),
    1146: (InputError, "{text}. `embsearch mysql migrate` makes the tables; else correct {prefix}_URL."),
    1054: (InputError, "{text}. Name the table's own columns by {prefix}_…_COLUMN: see docs/mysql.md."),
    1021: (FatalError, "its disk is full ({text}). Free some space there, then run this again."),
}
UNFORESEEN = (FatalError, "{text} (error {number})")


@contextmanager
def translated(url: str, settings: str, action: str) -> Iterator[None]:
    """Raise this project's errors for the driver's, naming the server and ``action`` ("read tb_x").

    ``settings`` begins the names of the settings that the connection comes from: ``mysql`` or ``backup_mysql``.

    Raises:
        ServiceUnavailable: the server does not answer, is starting or ending, or is too busy.
        AccessDenied: the login, a right or the certificate is refused.
        InputError: a database, a table or a column does not exist.
        FatalError: any other refusal.
    """
    try:
        yield
    except (Error, ConnectionError, TimeoutError) as error:
        raise meaning(error, url, f"{PREFIX}{settings.upper()}", action) from error


def meaning(error: Exception, url: str, prefix: str, action: str) -> EmbsearchError:
    """The project's error for one of the driver's; ``prefix`` is that of the settings' variables."""
    number, text = _number_and_text(error)
    said = f"MySQL at {url}: cannot {action}: "
    if _is_tls_error(error):
        return AccessDenied(
            f"{said}no TLS with the expected certificate ({text}). Check {prefix}_CA_CERTS; when the server was not "
            "changed on purpose, do not go on."
        )
    kind, advice = WHAT_TO_DO.get(number, UNFORESEEN)
    return kind(said + advice.format(text=text, prefix=prefix, number=number))


def _number_and_text(error: Exception) -> tuple[int, str]:
    found = error.args
    if isinstance(error, Error) and len(found) > 1 and isinstance(found[0], int):
        return found[0], str(found[1]).rstrip(". ") or "the connection is closed"
    return 0, str(error).rstrip(". ") or "the connection is closed"


def _is_tls_error(error: Exception) -> bool:
    """Whether TLS failed for good; the driver hides a wrong certificate behind the error of an unreachable host."""
    cause = getattr(error, "original_exception", None) if isinstance(error, OperationalError) else None
    return isinstance(cause, ssl.SSLCertVerificationError) or (
        isinstance(error, OperationalError) and error.args[:1] == (2026,)
    )
