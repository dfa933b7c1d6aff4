"""A TCP relay that can be told to hold back what the server says: a watch that is seconds behind."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class SlowLink:
    """Where the relay listens, and how many seconds the server's bytes are held back."""

    port: int = 0
    delay: float = 0.0
    sockets: list[socket.socket] = field(default_factory=list)

    def relay(self, source: socket.socket, sink: socket.socket, *, slow: bool) -> None:
        """Pass bytes on until either end closes."""
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if slow and self.delay:
                    time.sleep(self.delay)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def slow_link(to_port: int) -> Iterator[SlowLink]:
    """A relay to a port of this machine."""
    link = SlowLink()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        link.port = listening.getsockname()[1]

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    server = socket.create_connection(("127.0.0.1", to_port))
                    link.sockets += [client, server]
                    for source, sink, slow in ((client, server, False), (server, client, True)):
                        threading.Thread(
                            target=link.relay, args=(source, sink), kwargs={"slow": slow}, daemon=True
                        ).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield link
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for end in link.sockets:
                end.close()
