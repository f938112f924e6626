"""Ports: what is said when one is taken."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.errors import SetupError
from include.local_stack.ports import PortNeed, check_ports, free_ports, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_named_with_its_holder_and_the_setting_to_change(taken: int) -> None:
    with pytest.raises(SetupError) as raised:
        check_ports([PortNeed(taken, "EMBSEARCH_AIRFLOW_PORT")])
    message = str(raised.value)
    assert f"Port {taken} is in use" in message
    assert f"process {os.getpid()}" in message
    suggestion = int(message.partition("EMBSEARCH_AIRFLOW_PORT=")[2].split()[0])
    assert suggestion != taken
    assert is_free(suggestion)


def test_a_port_taken_on_all_addresses_is_taken() -> None:
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        assert not is_free(listener.getsockname()[1])


def test_a_port_held_by_the_stack_itself_is_fine(taken: int) -> None:
    check_ports([PortNeed(taken, "EMBSEARCH_AIRFLOW_PORT")], ours=[os.getpid()])


def test_two_services_on_one_port_are_refused() -> None:
    port = free_ports(1)[0]
    needs = [PortNeed(port, "EMBSEARCH_TRITON_HTTP_PORT"), PortNeed(port, "EMBSEARCH_AIRFLOW_PORT")]
    with pytest.raises(SetupError, match="EMBSEARCH_TRITON_HTTP_PORT and EMBSEARCH_AIRFLOW_PORT are both"):
        check_ports(needs)


def test_free_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20


def test_free_ports_are_none_that_a_clients_connection_may_take() -> None:
    lowest, highest = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert not [port for port in free_ports(20) if lowest <= port <= highest]
