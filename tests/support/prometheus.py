"""A Prometheus of the tests' own."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from sandbox.ports import PortReservation
from sandbox.probe import wait_until
from sandbox.processes import Process
from sandbox.prometheus import ensure_prometheus


def write_blocks(directory: Path, readings: Iterable[tuple[str, str, int, float]]) -> Path:
    """Storage with these readings (metric, labels, Unix seconds, value) of the past; returns its directory."""
    by_metric: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for metric, labels, t_s, value in readings:
        by_metric.setdefault(metric, {}).setdefault(labels, []).append((t_s, value))
    text = directory / "readings.txt"
    with text.open("w", encoding="utf-8") as lines:
        for metric, series in by_metric.items():
            lines.write(
                f"# TYPE {metric} gauge\n"
            )  # as gauges, because OpenMetrics lets no counter's name end in _total here
            for labels, points in series.items():
                lines.writelines(f"{metric}{{{labels}}} {value!r} {t_s}\n" for t_s, value in points)
        lines.write("# EOF\n")
    data = directory / "data"
    # By default each two hours become a block, and the whole text is read again for each.
    blocks = ["tsdb", "create-blocks-from", "--max-block-duration=768h", "openmetrics"]
    command = [str(ensure_prometheus().promtool), *blocks, str(text), str(data)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return data


@contextmanager
def running_prometheus(
    directory: Path, data: Path | None = None, target: str = "", interval_s: int = 1
) -> Iterator[str]:
    """Start Prometheus on loopback and wait until it is ready; gives its address.

    Args:
        directory: for its configuration, log and data.
        data: storage to start with.
        target: host:port to scrape, if any.
        interval_s: between two scrapes.
    """
    scrapes = (
        [{"job_name": "cadvisor", "static_configs": [{"targets": [target]}], "honor_labels": True}] if target else []
    )
    config = {
        "global": {"scrape_interval": f"{interval_s}s", "scrape_timeout": f"{interval_s}s"},
        "scrape_configs": scrapes,
    }
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    ports = PortReservation()
    port = ports.reserve()
    argv: list[str | Path] = [
        ensure_prometheus().prometheus,
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={data or directory / 'data'}",
        "--storage.tsdb.retention.time=60d",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    process = Process("prometheus", argv, directory / "prometheus.log")
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until("prometheus ready", lambda: _ready(url), process=process, interval_seconds=0.2)
        yield url
    finally:
        process.stop(5.0)
        ports.release()


def _ready(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/-/ready", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False
