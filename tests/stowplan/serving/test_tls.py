"""Hot reload with real handshakes over real sockets."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import uvloop
from cryptography import x509
from prometheus_client import CollectorRegistry

from stowplan.serving.certificates import KeyPair, expires_at, make_ca, make_leaf
from stowplan.serving.tls import ReloadingContext, server_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOW = datetime.now(UTC)
CA = make_ca("stowplan", NOW)
FIRST = make_leaf(CA, ["localhost", "127.0.0.1"], NOW)
SECOND = make_leaf(CA, ["localhost", "127.0.0.1"], NOW, lifetime=timedelta(days=30))


class Files:
    """A certificate and a key file, and the context that watches them."""

    def __init__(self, directory: Path) -> None:
        self.certificate = directory / "tls.crt"
        self.key = directory / "tls.key"
        self.write(FIRST)
        self.registry = CollectorRegistry()
        self.reloading = ReloadingContext(self.certificate, self.key, registry=self.registry)

    def write(self, pair: KeyPair) -> None:
        """Write both files."""
        self.certificate.write_bytes(pair.certificate)
        self.key.write_bytes(pair.key)

    def reloads(self, result: str) -> float:
        """The counter of this result."""
        return self.registry.get_sample_value("stowplan_tls_reloads_total", {"result": result}) or 0


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@asynccontextmanager
async def echoing(context: ssl.SSLContext) -> AsyncIterator[int]:
    """A server that echoes lines."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(port: int, name: str = "localhost", *, tls12: bool = False) -> Streams:
    """A verified connection. An IP address as name sends no SNI."""
    context = ssl.create_default_context(cadata=CA.certificate.decode())
    context.set_alpn_protocols(["h2", "http/1.1"])
    if tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)


async def disconnect(streams: Streams) -> None:
    streams[1].close()
    await streams[1].wait_closed()


async def served(port: int, name: str = "localhost") -> datetime:
    """End of the leaf that a new connection is served."""
    streams = await connect(port, name)
    leaf = streams[1].get_extra_info("ssl_object").getpeercert(binary_form=True)
    await disconnect(streams)
    return x509.load_der_x509_certificate(leaf).not_valid_after_utc


async def test_new_handshakes_get_the_new_leaf_and_open_connections_live_on(files: Files) -> None:
    async with echoing(files.reloading.context) as port:
        reader, writer = old = await connect(port)
        files.write(SECOND)

        assert files.reloading.check()

        assert await served(port) == expires_at(SECOND.certificate)
        assert await served(port, "127.0.0.1") == expires_at(SECOND.certificate)  # without SNI
        writer.write(b"still here\n")
        assert await reader.readline() == b"still here\n"
        await disconnect(old)
    assert files.reloads("loaded") == 1
    assert files.reloading.expires_at == expires_at(SECOND.certificate)
    gauge = files.registry.get_sample_value("stowplan_tls_certificate_expiry_timestamp_seconds")
    assert gauge == expires_at(SECOND.certificate).timestamp()


async def test_a_half_written_pair_keeps_the_old_one_until_it_is_whole(files: Files) -> None:
    async with echoing(files.reloading.context) as port:
        files.certificate.write_bytes(SECOND.certificate)  # the key is still the first one's

        assert not files.reloading.check()
        assert not files.reloading.check()

        assert await served(port) == expires_at(FIRST.certificate)
        assert await served(port, "127.0.0.1") == expires_at(FIRST.certificate)
        assert files.reloads("invalid") == 1  # counted once per content, not once per look
        files.key.write_bytes(SECOND.key)
        assert files.reloading.check()
        assert await served(port) == expires_at(SECOND.certificate)


@pytest.mark.parametrize("junk", [b"", b"nonsense", SECOND.certificate[:200]])
async def test_junk_keeps_the_old_pair(files: Files, junk: bytes) -> None:
    async with echoing(files.reloading.context) as port:
        files.certificate.write_bytes(junk)
        assert not files.reloading.check()
        assert await served(port) == expires_at(FIRST.certificate)


async def test_vanished_files_keep_the_old_pair(files: Files) -> None:
    async with echoing(files.reloading.context) as port:
        files.key.unlink()
        assert not files.reloading.check()
        assert await served(port) == expires_at(FIRST.certificate)
    assert files.reloads("unreadable") == 1


def test_a_symlink_swap_as_the_kubelet_does_it(tmp_path: Path) -> None:
    for name, pair in (("one", FIRST), ("two", SECOND)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tls.crt").write_bytes(pair.certificate)
        (tmp_path / name / "tls.key").write_bytes(pair.key)
    data = tmp_path / "..data"
    data.symlink_to("one")
    reloading = ReloadingContext(data / "tls.crt", data / "tls.key")
    assert not reloading.check()

    (tmp_path / "..tmp").symlink_to("two")
    (tmp_path / "..tmp").rename(data)

    assert reloading.check()
    assert reloading.expires_at == expires_at(SECOND.certificate)


async def test_polling_finds_the_change(files: Files) -> None:
    looked = asyncio.Event()

    async def sleep(_: float) -> None:
        if files.reloads("loaded"):
            looked.set()
        await asyncio.sleep(0)

    reloading = ReloadingContext(files.certificate, files.key, sleep=sleep)
    files.reloading = reloading
    files.write(SECOND)
    task = asyncio.create_task(reloading.run())
    try:
        async with asyncio.timeout(120):
            while reloading.expires_at != expires_at(SECOND.certificate):  # noqa: ASYNC110 - no event to wait for
                await asyncio.sleep(0)
    finally:
        task.cancel()


async def test_tls_1_3_and_http_1_1_only(files: Files) -> None:
    files.write(SECOND)
    files.reloading.check()
    async with echoing(files.reloading.context) as port:
        streams = await connect(port)
        handshake = streams[1].get_extra_info("ssl_object")
        assert (handshake.version(), handshake.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
        await disconnect(streams)
        # asyncio's server resets the connection on a failed handshake; uvloop's sends the alert.
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await connect(port, tls12=True)


def test_a_first_pair_that_does_not_load_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError):
        server_context(KeyPair(FIRST.certificate, SECOND.key))
    with pytest.raises(FileNotFoundError):
        ReloadingContext(tmp_path / "absent", tmp_path / "absent")


def test_uvloop_serves_the_new_leaf_too(files: Files) -> None:
    async def story() -> None:
        async with echoing(files.reloading.context) as port:
            reader, writer = old = await connect(port)
            assert await served(port) == expires_at(FIRST.certificate)
            files.write(SECOND)
            files.reloading.check()
            assert await served(port) == expires_at(SECOND.certificate)
            assert await served(port, "127.0.0.1") == expires_at(SECOND.certificate)
            writer.write(b"still here\n")
            assert await reader.readline() == b"still here\n"
            await disconnect(old)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())
