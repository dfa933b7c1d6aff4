"""One run of one workload: the test binary with its own etcd and API server, and beside it the extender where the arm has one."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from extender.scheduler_config import Channel
from perf.extender_command import command
from perf.scheduler_perf import data_items
from perf.scheduler_perf.build import Bench
from perf.scheduler_perf.workloads import Workload, configuration, scheduler_document
from sandbox.errors import SandboxError
from sandbox.ports import PortReservation
from sandbox.probe import healthy, wait_until
from sandbox.processes import Process

_ROOT: Final = Path(__file__).resolve().parents[2]
_START_SECONDS: Final = 120.0
_RUN_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to schedule; `off` is a scheduler without an extender."""

    name: str
    channel: Channel
    percentage: int
    """`percentageOfNodesToScore`; 0 samples as kube-scheduler likes."""
    trivial: bool = False
    """Whether the extender is that of `perf.trivial_extender`: what the call itself costs."""

    @property
    def baseline(self) -> str:
        """The arm without an extender at the same percentage."""
        return "stock" if self.percentage == 0 else "stock, every node"


ARMS: Final = (
    Arm("stock", "off", 0),
    Arm("stowplan", "narrow", 0),
    Arm("trivial extender", "narrow", 0, trivial=True),
    Arm("stock, every node", "off", 100),
    Arm("stowplan, every node", "narrow", 100),
    Arm("trivial extender, every node", "narrow", 100, trivial=True),
)
SHORT_ARMS: Final = ARMS[:2]


def run(bench: Bench, etcd: Path, workload: Workload, arm: Arm, scratch: Path) -> dict[str, Any]:
    """What scheduler_perf measured.

    Raises:
        SandboxError: the test or the extender failed; the message has the end of its output.
        ValueError: the workload does not exist.
    """
    scratch.mkdir()
    with PortReservation() as ports:
        port, metrics = ports.reserve(), ports.reserve()
        environment = _with_etcd(_prepare(bench, workload, arm, scratch, port), etcd)
        test = Process("scheduler_perf", _argv(bench, scratch), scratch / "test.log", environment)
        try:
            kubeconfig = scratch / "kubeconfig"
            wait_until("the test's API server", kubeconfig.exists, process=test, timeout_seconds=_START_SECONDS)
            with _extender(arm, kubeconfig, port, metrics, scratch):
                (scratch / "ready").touch()
                _wait(test, lambda: (scratch / "done").exists() or test.returncode is not None)
            _wait(test, lambda: test.returncode is not None)
        finally:
            test.stop()
    items = data_items.read(scratch / "items")
    return {"pods_per_second": data_items.throughput(items), "attempt_ms": data_items.attempt_ms(items)}


def _prepare(bench: Bench, workload: Workload, arm: Arm, scratch: Path, port: int) -> dict[str, str]:
    """Write the configurations; returns the environment of the test."""
    for folder in ("templates", "items", "tmp"):
        (scratch / folder).mkdir()
    scheduler_config = scratch / "scheduler.yaml"
    document = scheduler_document(arm.channel, arm.percentage, f"http://127.0.0.1:{port}")
    scheduler_config.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    cases = configuration(bench.workloads, workload, scratch / "templates", scheduler_config)
    config = scratch / "performance-config.yaml"
    config.write_text(yaml.safe_dump(cases, sort_keys=False), encoding="utf-8")
    files = ("kubeconfig", "ready", "done")
    ours = {"CONFIG": config, **{name.upper(): scratch / name for name in files}}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ETCD_")}  # etcd takes them for flags
    variables = {f"STOWPLAN_PERF_{name}": str(path) for name, path in ours.items()}
    # The test's API server looks for its files beside its source; compiled with -trimpath, it takes the root from these two.
    sources = {"TEST_SRCDIR": str(bench.module_cache), "TEST_WORKSPACE": "."}
    return {**kept, **variables, **sources, "TMPDIR": str(scratch / "tmp"), "KUBE_CACHE_MUTATION_DETECTOR": "false"}


def _with_etcd(environment: dict[str, str], etcd: Path) -> dict[str, str]:
    return {**environment, "PATH": f"{etcd.parent}{os.pathsep}{environment.get('PATH', '')}"}


def _argv(bench: Bench, scratch: Path) -> list[str | Path]:
    flags = ["-test.run=^$", "-test.benchtime=1x", "-test.bench=BenchmarkPerfScheduling", "-test.timeout=20m"]
    return [bench.binary, *flags, "-v=0", f"-data-items-dir={scratch / 'items'}"]


def _wait(test: Process, over: Callable[[], bool]) -> None:
    wait_until("the workload", over, timeout_seconds=_RUN_SECONDS, interval_seconds=0.2)
    if test.returncode:
        raise SandboxError(f"scheduler_perf ended with exit code {test.returncode}:\n{test.log_tail()}")


@contextmanager
def _extender(arm: Arm, kubeconfig: Path, port: int, metrics: int, scratch: Path) -> Iterator[None]:
    """The extender, synced with the test's API server; nothing where the arm has none."""
    if arm.channel == "off":
        yield
        return
    argv = command(kubeconfig, (port, metrics), arm.channel, trivial=arm.trivial)
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    process = Process("extender", argv, scratch / "extender.log", environment)
    try:
        ready = partial(healthy, f"http://127.0.0.1:{metrics}/readyz", ssl.create_default_context())
        wait_until("the extender", ready, process=process)
        yield
        process.check()
    finally:
        process.stop()
