"""The client over TLS, when a watch ends before the server is through."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import aclosing, closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from stowplan.kube.client import ApiClient
from stowplan.kube.connection import Connection
from stowplan.kube.paths import PODS
from stowplan.serving.certificates import make_ca, make_leaf
from stowplan.serving.tls import server_context

NOW = datetime.now(UTC)
CA = make_ca("stowplan", NOW)
LEAF = make_leaf(CA, ["127.0.0.1"], NOW)


def begin_a_watch(listener: socket.socket) -> ssl.SSLSocket:
    """Serve one connection as far as the first line of a watch, and then do nothing with it, not even a farewell."""
    accepted, _ = listener.accept()
    connection = server_context(LEAF).wrap_socket(accepted, server_side=True)
    connection.recv(65536)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n"
    )
    return connection


def open_sockets() -> int:
    """Of this process."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor that lists the others
            links.append(str(descriptor.readlink()))
    return sum(link.startswith("socket:") for link in links)


async def test_no_socket_is_left_behind_when_the_server_does_not_say_farewell() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        serving = asyncio.create_task(asyncio.to_thread(begin_a_watch, listener))
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        context = ssl.create_default_context(cadata=CA.certificate.decode())
        async with (
            ApiClient(Connection(url, ssl_context=context)) as api,
            aclosing(api.watch(PODS.path(), "1")) as lines,
        ):
            assert await anext(lines) == b"first"
            connection = await serving
            before = open_sockets()
        with closing(connection):
            assert open_sockets() == before - 1  # the client's end; the server still holds its own
