"""The recommender as it is installed: its own identity, metrics.k8s.io by a real metrics-server, usage that KWOK's nodes simulate."""

import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.control_plane import ControlPlane, SandboxSettings
from sandbox.install import service_account
from sandbox.manifests import for_sandbox, render
from sandbox.metrics_server import ensure_metrics_server, start_metrics_server
from sandbox.nodes import create_nodes, mixed_nodes, wait_ready
from sandbox.probe import wait_until
from sandbox.usage import CPU_ANNOTATION, MEMORY_ANNOTATION
from stowplan.model.profile import Source, WorkloadProfile
from stowplan.model.profile_codec import parse_profile
from tests.support.bare_planes import apply

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # the first run builds metrics-server
RECOMMENDER = "stowplan-recommender"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """With metrics-server, stowplan's roles and a pod that uses 3.5 cores and 6 GiB, more than the size table gives."""
    ensure_metrics_server()
    settings = SandboxSettings(tmp_path_factory.mktemp("recommender-usage"), name="recommender-usage", usage=True)
    with ControlPlane(settings) as running:
        wait_ready(running, create_nodes(running, mixed_nodes(2)))
        apply(running, render(running, "crds"))
        running.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd", "--all")
        apply(running, for_sandbox(render(running, "base")))
        metadata = {"name": "busy", "annotations": {CPU_ANNOTATION: "3500m", MEMORY_ANNOTATION: "6Gi"}}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        pod["spec"] = {"containers": [{"name": "app", "image": "fake"}]}
        running.kubectl("create", "-f", "-", stdin=json.dumps(pod))
        start_metrics_server(running)
        yield running


def test_usage_becomes_a_recommendation(plane: ControlPlane) -> None:
    port = plane.port(f"{RECOMMENDER}-metrics")
    argv: list[str | Path] = [sys.executable, "-m", "recommender", "--metrics-port", str(port), "--poll-seconds", "2"]
    argv += ["--kubeconfig", plane.kubeconfig_for(*service_account(RECOMMENDER)), "--pass-seconds", "2"]
    process = plane.start_process(RECOMMENDER, argv, {"PYTHONPATH": str(Path(__file__).resolve().parents[2])})

    def found() -> WorkloadProfile | None:
        items = plane.kubectl_json("get", "wprof", "-n", "default")["items"]
        return next((parse_profile(item) for item in items if item.get("status")), None)

    def samples() -> int:
        profile = found()
        return profile.recommendations[0].containers[0].samples if profile and profile.recommendations else 0

    wait_until("usage was learned", lambda: samples() >= 2, process=process, timeout_seconds=150, interval_seconds=1)
    profile = found()
    assert profile is not None
    assert profile.key == ("default", "Pod", "busy")
    app = profile.recommendations[0].containers[0]
    assert app.source is Source.SIZE_TABLE_AND_OWN
    assert app.days == 0
    # own data weighs (1/24) / (1/24 + 1) = 4 % beside 500m and 2Gi: a little more of both; the range knows what was used
    assert 500 <= app.target["cpu"] < 1000
    assert 2 * 2**30 <= app.target["memory"] < 4 * 2**30
    assert app.upper["cpu"] > 3000

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as page:
        text = page.read().decode()
    assert "stowplan_recommender_active 1.0" in text
    assert 'stowplan_usage_source_up{source="metrics-api"} 1.0' in text
    errors = [line for line in text.splitlines() if line.startswith("stowplan_recommender_errors_total{")]
    assert errors == []
