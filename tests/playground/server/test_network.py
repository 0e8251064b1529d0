"""The addresses that are printed for others: this machine's own, of the kind that it listens on."""

from __future__ import annotations

import socket

import pytest

from playground.server import network


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_page_for_this_machine_has_none(host: str) -> None:
    assert network.urls(host, 7860) == []


def test_a_named_address_is_said_as_it_is() -> None:
    assert network.urls("192.168.7.9", 7860) == ["http://192.168.7.9:7860/"]
    assert network.urls("fd00::7", 80) == ["http://[fd00::7]:80/"]


def test_anywhere_is_this_machines_addresses() -> None:
    """A server that listens everywhere answers at each of them."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        for url in network.urls("0.0.0.0", port):
            address = url.removeprefix("http://").rstrip("/").rsplit(":", 1)
            assert not address[0].startswith("127.")
            socket.create_connection((address[0], port), timeout=5).close()
    assert len(set(network.urls("0.0.0.0", 1))) == len(network.urls("0.0.0.0", 1))
