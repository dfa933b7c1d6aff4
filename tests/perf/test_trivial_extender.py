"""The trivial extender, started as the measurement starts it."""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path

from sandbox.ports import PortReservation
from sandbox.probe import wait_until
from sandbox.processes import Process


def _asked(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _ready(port: int) -> bool:
    try:
        return _asked(port, "GET", "/readyz")[0] == 200
    except OSError:
        return False


def test_it_names_the_first_node_offered(tmp_path: Path) -> None:
    with PortReservation() as ports:
        port, metrics = ports.reserve(), ports.reserve()
        argv = [sys.executable, "-m", "perf.trivial_extender", str(port), str(metrics)]
        process = Process("trivial", argv, tmp_path / "log")
        try:
            wait_until("the trivial extender", lambda: _ready(metrics), process=process)
            status, body = _asked(port, "POST", "/filter", json.dumps({"Pod": {}, "NodeNames": ["b", "a"]}).encode())
        finally:
            process.stop()
    assert (status, json.loads(body)["NodeNames"]) == (200, ["b"])
