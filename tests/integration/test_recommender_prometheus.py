"""The recommender with Prometheus as its source: the past is learned on the first start, day after day, and never again."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from recommender.amounts import DAY_S
from recommender.workloads.fleet import GRACE_S
from sandbox.control_plane import ControlPlane
from sandbox.install import service_account
from sandbox.manifests import for_sandbox, render
from sandbox.nodes import create_nodes, mixed_nodes, wait_ready
from sandbox.probe import wait_until
from stowplan.model.profile import Confidence, Source, WorkloadProfile
from stowplan.model.profile_codec import parse_profile
from tests.support.bare_planes import apply, own_control_plane
from tests.support.prometheus import running_prometheus, write_blocks
from tests.support.recorded_usage import Faults, Recording, bitbrains, exposition

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SHOP = "shop"
STEP_S = 300
LONGEST_S = 3600
"""A longer gap between two readings teaches nothing (docs/sources.md)."""
BACK_FILL_DAYS = 14


@dataclass(frozen=True)
class Shop:
    """Pods whose last two weeks are in a Prometheus."""

    plane: ControlPlane
    url: str
    recordings: Mapping[str, Recording]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("prometheus")
    end_s = int(time.time()) // STEP_S * STEP_S
    recordings = {recording.pod: recording for recording in bitbrains(3, end_s)}
    data = write_blocks(
        directory,
        (
            (metric, labels, t_s, value)
            for recording in recordings.values()
            for t_s in recording.times
            for metric, labels, value in exposition(recording, Faults(), t_s)
        ),
    )
    with (
        running_prometheus(directory, data) as url,
        own_control_plane(tmp_path_factory, "recommender-past", runs_pods=True) as plane,
    ):
        wait_ready(plane, create_nodes(plane, mixed_nodes(2)))
        apply(plane, render(plane, "crds"))
        plane.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd", "--all")
        apply(plane, for_sandbox(render(plane, "base")))
        plane.kubectl("create", "namespace", SHOP)
        plane.wait_for_namespace(SHOP)
        for pod in recordings:
            spec = {"containers": [{"name": "server", "image": "fake"}]}
            made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": SHOP}, "spec": spec}
            plane.kubectl("create", "-f", "-", stdin=json.dumps(made))
        plane.kubectl("wait", "-n", SHOP, "--for=condition=Ready", "--timeout=180s", "pod", "--all")
        yield Shop(plane, url, recordings)


def start(shop: Shop, name: str) -> None:
    """A recommender as it is installed, with a fast pace."""
    plane = shop.plane
    argv: list[str | Path] = [sys.executable, "-m", "recommender", "--prometheus-url", shop.url]
    argv += ["--back-fill-days", str(BACK_FILL_DAYS), "--metrics-port", str(plane.port(name)), "--lease-seconds", "6"]
    argv += ["--kubeconfig", plane.kubeconfig_for(*service_account("stowplan-recommender"))]
    argv += ["--poll-seconds", "0.5", "--checkpoint-seconds", "1", "--pass-seconds", "1", "--urgent-seconds", "0.3"]
    process = plane.start_process(name, argv, {"PYTHONPATH": str(ROOT)})
    asked = "stowplan_usage_source_up"
    wait_until(f"{name} asks Prometheus", lambda: metric(shop, name, asked) == 1, process=process)


def metric(shop: Shop, name: str, metric_name: str) -> float:
    """A metric by its name, whatever its labels; -1 where it is not there (yet)."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{shop.plane.port(name)}/metrics", timeout=60) as page:
            lines = page.read().decode().splitlines()
    except OSError:
        return -1.0
    found = [float(line.split()[-1]) for line in lines if line.startswith((f"{metric_name} ", f"{metric_name}{{"))]
    return found[0] if found else -1.0


def profiles(shop: Shop) -> dict[str, WorkloadProfile]:
    items = shop.plane.kubectl_json("get", "wprof", "-n", SHOP)["items"]
    found = [parse_profile(item) for item in items if item.get("status")]
    return {profile.name: profile for profile in found if profile.recommendations}


def learned(shop: Shop) -> dict[str, tuple[int, int]]:
    """Closed days and their samples, by pod."""
    found = {name: profile.recommendations[0].containers[0] for name, profile in profiles(shop).items()}
    return {name: (container.days, container.samples) for name, container in found.items()}


def expected(shop: Shop, now_s: float) -> dict[str, tuple[int, int]]:
    """The same by the recordings: windows between two readings, of the days that are over and not too old."""
    today = int(now_s) // DAY_S
    found = {}
    for pod, recording in shop.recordings.items():
        ends = [end for begin, end in pairwise(recording.times) if end - begin <= LONGEST_S]
        days = [(end - 1) // DAY_S for end in ends]
        closed = [d for d in days if d >= today - BACK_FILL_DAYS and (d + 1) * DAY_S + GRACE_S <= now_s]
        found[pod] = (len(set(closed)), len(closed))
    return found


def test_the_past_is_learned_on_the_first_start_and_never_again(shop: Shop) -> None:
    start(shop, "recommender-1")
    # every sample of it, once
    wait_until("the past was learned", lambda: learned(shop) == expected(shop, time.time()))

    assert metric(shop, "recommender-1", "stowplan_usage_back_fill_progress") == 1
    assert metric(shop, "recommender-1", "stowplan_recommender_days_closed_total") >= 13
    for pod, profile in profiles(shop).items():
        server = profile.recommendations[0].containers[0]
        assert (profile.kind, profile.observed_class, server.name) == ("Pod", "standard", "server")
        assert profile.history_hours == 24 * server.days >= 24 * 13
        assert server.confidence is not Confidence.LOW
        # two days are learned before a recommendation stands; the profile was written with the risk of those after
        assert profile.risk is not None
        assert profile.risk.days >= server.days - 3
        assert server.source in (Source.USAGE, Source.STAFFING)
        recording = shop.recordings[pod]
        # the class's formulas: never below mean use, and the head-room of peaks on memory
        assert server.target["cpu"] >= 1000 * sum(recording.cores) / len(recording.cores)
        assert server.target["memory"] >= sum(recording.memory) / len(recording.memory)

    shop.plane.stop_component("recommender-1")
    start(shop, "recommender-2")
    unchanged_after_a_pass(shop, "recommender-2")
    shop.plane.stop_component("recommender-2", kill=True)
    start(shop, "recommender-3")
    unchanged_after_a_pass(shop, "recommender-3")
    shop.plane.stop_component("recommender-3")


def unchanged_after_a_pass(shop: Shop, name: str) -> None:
    """It knows what the one before it learned, and did not ask for the past."""
    passed = "stowplan_recommender_last_pass_timestamp_seconds"
    wait_until(f"{name} has sized", lambda: metric(shop, name, passed) > 0)
    first = metric(shop, name, passed)
    wait_until(f"{name} has sized again and again", lambda: metric(shop, name, passed) >= first + 3)

    assert learned(shop) == expected(shop, time.time())
    assert metric(shop, name, "stowplan_recommender_containers") == len(shop.recordings)
    assert metric(shop, name, "stowplan_usage_back_fill_progress") <= 0
    assert metric(shop, name, "stowplan_recommender_days_closed_total") == 0
