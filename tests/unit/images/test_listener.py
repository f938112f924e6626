"""The address of the API's own server: refused in a sentence, announced only when somebody answers there."""

from __future__ import annotations

import socket

import pytest
import uvicorn

from include.errors import SetupError
from include.images.api.listener import announcing, bound

HERE = "127.0.0.1"


async def app(_scope: object, _receive: object, _send: object) -> None:
    """Nobody asks it."""


def test_a_port_that_is_taken_is_named_with_the_option_that_chooses_another() -> None:
    with socket.create_server((HERE, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SetupError) as raised:
            bound(HERE, port)
    assert str(raised.value) == (
        f"Port {port} of {HERE} is in use. End what listens there, or choose another by --port."
    )


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(
        SetupError, match=r"Nothing can listen on port 8090 of 192\.0\.2\.1: Cannot assign .* by --host"
    ):
        bound("192.0.2.1", 8090)


def test_who_is_second_to_listen_is_told_and_announces_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Both had the address before one of them listened, as the system allows."""
    with bound(HERE, 0) as first:
        port = first.getsockname()[1]
        with bound(HERE, port) as second:
            first.listen()
            config = uvicorn.Config(app, log_config=None, lifespan="off")
            with (
                caplog.at_level("INFO", "include"),
                pytest.raises(SetupError, match=f"Port {port} of {HERE} is in use"),
            ):
                announcing(config, second).run(sockets=[second])
    assert "Image search at" not in caplog.text
