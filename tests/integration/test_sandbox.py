"""The sandbox is a real control plane: it schedules, runs, completes, refuses, restarts, and leaves nothing behind."""

import base64
import json
import os
import signal
import ssl
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from sandbox import lifecycle
from sandbox.control_plane import ControlPlane, SandboxSettings
from sandbox.errors import ComponentFailedError, SandboxError
from sandbox.jobs import completes_after
from sandbox.nodes import create_nodes, node_manifest, wait_ready
from sandbox.paths import sandbox_dir
from sandbox.probe import healthy, wait_until
from sandbox.processes import ProcessIdentity
from sandbox.status import ComponentStatus, read_keeper, read_status
from stowplan.catalog import load_catalog

Kubectl = Callable[..., Any]
# A validating webhook that refuses everything: PORT CERTIFICATE KEY.
WEBHOOK = """
import http.server, json, ssl, sys

class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"uid": review["request"]["uid"], "allowed": False, "status": {"message": "the hook says no"}}
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Hook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
print("listening", flush=True)
server.serve_forever()
"""
CORE = ["etcd", "kube-apiserver", "kube-controller-manager"]


@pytest.fixture(scope="module")
def nodes(control_plane: ControlPlane) -> Iterator[list[str]]:
    """Two Ready fake nodes of different types."""
    catalog = load_catalog()
    names = create_nodes(
        control_plane,
        [
            node_manifest("sandbox-a", catalog["m5.xlarge"], zone="us-east-1a"),
            node_manifest("sandbox-b", catalog["g5.xlarge"], zone="us-east-1b", capacity_type="spot"),
        ],
    )
    wait_ready(control_plane, names)
    yield names
    control_plane.kubectl("delete", "node", *names)


def pod_template(**metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "test"}, **metadata},
        "spec": {
            "containers": [{"name": "main", "image": "fake", "resources": {"requests": {"cpu": "100m"}}}],
            "nodeSelector": {"kubernetes.io/hostname": "sandbox-a"},
        },
    }


def job(name: str, annotations: Mapping[str, str]) -> dict[str, Any]:
    template = pod_template(annotations=annotations)
    template["spec"]["restartPolicy"] = "Never"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": template},
    }


def all_gone(components: list[ComponentStatus]) -> Callable[[], bool]:
    return lambda: not any(component.running for component in components)


def test_every_component_runs_and_answers(control_plane: ControlPlane) -> None:
    names = [*CORE, "kube-scheduler", "kwok"]

    # Other tests of the session may have started processes of their own beside them.
    assert {name: control_plane.processes[name].returncode for name in names} == dict.fromkeys(names)
    assert json.loads(control_plane.kubectl("version", "-o", "json"))["serverVersion"]["minor"] == "36"


def test_the_record_names_every_process_with_its_port(control_plane: ControlPlane) -> None:
    records = {component.name: component for component in read_status(control_plane.state_dir)}

    api_server = records["kube-apiserver"]
    assert control_plane.url == f"https://127.0.0.1:{api_server.port}"
    assert api_server.running
    assert api_server.memory_bytes > 10 * 1024**2  # no API server is smaller than that


def test_nodes_offer_what_the_catalog_says(kubectl: Kubectl, nodes: list[str]) -> None:
    node = kubectl("get", "node", nodes[1])

    # g5.xlarge: 3920m and 14162 MiB for pods, one A10G, 58 pods.
    assert node["status"]["allocatable"]["cpu"] == "3920m"
    assert node["status"]["allocatable"]["memory"] == str(14_162 * 1024**2)
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "1"
    assert node["status"]["allocatable"]["pods"] == "58"
    assert node["metadata"]["labels"]["karpenter.sh/capacity-type"] == "spot"
    assert node["metadata"]["labels"]["topology.kubernetes.io/zone"] == "us-east-1b"


@pytest.mark.usefixtures("nodes")
def test_pods_of_a_deployment_run(control_plane: ControlPlane, kubectl: Kubectl, namespace: str) -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "test"}}, "template": pod_template()},
    }

    kubectl("create", "-n", namespace, "-f", "-", stdin=deployment)
    control_plane.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=180s")

    pods = kubectl("get", "pods", "-n", namespace)["items"]
    assert [pod["status"]["phase"] for pod in pods] == ["Running"] * 3
    assert {pod["spec"]["nodeName"] for pod in pods} == {"sandbox-a"}


@pytest.mark.usefixtures("nodes")
def test_jobs_complete_and_an_annotation_says_when(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str
) -> None:
    kubectl("create", "-n", namespace, "-f", "-", stdin=job("long", completes_after(3600)))
    kubectl("create", "-n", namespace, "-f", "-", stdin=job("short", {}))

    control_plane.kubectl("wait", "--for=condition=Complete", "job/short", "-n", namespace, "--timeout=180s")

    assert kubectl("get", "job", "short", "-n", namespace)["status"]["succeeded"] == 1
    assert "succeeded" not in kubectl("get", "job", "long", "-n", namespace)["status"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer made-up"}], ids=["anonymous", "wrong token"])
def test_nobody_gets_in_without_credentials(control_plane: ControlPlane, headers: dict[str, str]) -> None:
    context = ssl.create_default_context(cafile=str(control_plane.ca_file))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    opener.addheaders = list(headers.items())

    with pytest.raises(urllib.error.HTTPError) as refusal:
        opener.open(f"{control_plane.url}/api", timeout=60)

    with refusal.value as answer:
        assert answer.code == HTTPStatus.UNAUTHORIZED


def test_the_api_server_needs_our_authority(control_plane: ControlPlane) -> None:
    # The system's authorities did not sign it, so a client that was not told about ours refuses to talk.
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(control_plane.url, timeout=60)


def test_etcd_is_closed_to_users_of_the_api(control_plane: ControlPlane) -> None:
    context = ssl.create_default_context(cafile=str(control_plane.pki.path("etcd-ca.crt")))
    context.load_cert_chain(control_plane.pki.path("admin.crt"), control_plane.pki.path("admin.key"))

    assert not healthy(f"https://127.0.0.1:{control_plane.port('etcd')}/health", context)
    context.load_cert_chain(control_plane.pki.path("etcd-client.crt"), control_plane.pki.path("etcd-client.key"))
    url = f"https://127.0.0.1:{control_plane.port('etcd')}/health"
    wait_until("etcd answers who has its certificate", lambda: healthy(url, context))


def test_a_user_may_only_what_rbac_grants(control_plane: ControlPlane) -> None:
    kubeconfig = control_plane.kubeconfig_for("stowplan-reader", ["readers"])
    as_reader = [str(control_plane.bin("kubectl")), f"--kubeconfig={kubeconfig}"]
    control_plane.kubectl("create", "clusterrole", "node-reader", "--verb=list", "--resource=nodes")
    control_plane.kubectl(
        "create", "clusterrolebinding", "node-readers", "--clusterrole=node-reader", "--group=readers"
    )

    allowed = subprocess.run([*as_reader, "get", "nodes"], capture_output=True, text=True, check=False)
    refused = subprocess.run([*as_reader, "get", "secrets"], capture_output=True, text=True, check=False)

    assert allowed.returncode == 0, allowed.stderr
    assert 'User "stowplan-reader" cannot list resource "secrets"' in refused.stderr


def test_the_api_server_restarts_with_its_data(control_plane: ControlPlane, namespace: str) -> None:
    url, before = control_plane.url, control_plane.processes["kube-apiserver"].pid
    control_plane.kubectl("create", "configmap", "kept", "-n", namespace)

    control_plane.stop_component("kube-apiserver", kill=True)
    with pytest.raises(SandboxError, match="refused"):
        control_plane.kubectl("get", "configmap", "kept", "-n", namespace)
    control_plane.start_component("kube-apiserver")

    assert control_plane.processes["kube-apiserver"].pid != before
    assert control_plane.url == url
    assert "kept" in control_plane.kubectl("get", "configmap", "kept", "-n", namespace)


def test_an_extra_process_is_supervised(control_plane: ControlPlane) -> None:
    script = "import os, time; print(os.environ['GREETING'], flush=True); time.sleep(600)"
    process = control_plane.start_process("extra", [sys.executable, "-c", script], {"GREETING": "hello"})

    wait_until("greeting", lambda: process.log_tail() == "hello\n", process=process)
    with pytest.raises(ValueError, match="'extra' runs already"):
        control_plane.start_process("extra", [sys.executable, "-c", script])
    control_plane.stop_component("extra")

    assert process.returncode == -signal.SIGTERM
    assert "extra" not in control_plane.processes


def test_a_component_that_cannot_start_is_reported_with_its_log(tmp_path: Path) -> None:
    settings = SandboxSettings(state_dir=tmp_path, extra_apiserver_args=("--no-such-flag",))

    with pytest.raises(ComponentFailedError, match=r"(?s)kube-apiserver ended.*no-such-flag"):
        ControlPlane(settings).start()

    assert read_status(tmp_path) == []


def test_two_sandboxes_know_nothing_of_each_other(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETCD_NAME", "of-another-etcd")  # etcd would take it for a flag and refuse to start
    with ControlPlane(SandboxSettings(state_dir=tmp_path, name="second", scheduler=False, kwok=False)) as second:
        second.kubectl("create", "namespace", "only-in-second")

        assert list(second.processes) == CORE
        assert "only-in-second" not in control_plane.kubectl("get", "namespaces", "-o", "name")
        with pytest.raises(SandboxError, match=r"certificate|Unauthorized|logged in"):
            control_plane.kubectl(f"--server={second.url}", "get", "namespaces")
        children = read_status(tmp_path)

    assert [child.name for child in children] == CORE
    assert all_gone(children)()


def test_nothing_survives_an_owner_that_is_killed(tmp_path: Path) -> None:
    script = f"""
        import time
        from pathlib import Path
        from sandbox.control_plane import ControlPlane, SandboxSettings
        with ControlPlane(SandboxSettings(state_dir=Path({str(tmp_path)!r}), scheduler=False, kwok=False)):
            print("ready", flush=True)
            time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        children = read_status(tmp_path)
        assert [child.name for child in children if child.running] == CORE

        owner.kill()

    wait_until("children gone", all_gone(children))


def test_a_sandbox_by_hand_comes_stays_and_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    kubeconfig = lifecycle.up("by-hand", nodes=3, bare=True)
    components = read_status(sandbox_dir("by-hand"))
    again = lifecycle.up("by-hand", nodes=3, bare=True)

    assert kubeconfig == again == lifecycle.kubeconfig_of("by-hand")
    assert [component.running for component in components] == [True] * 5
    assert lifecycle.down("by-hand")
    assert not sandbox_dir("by-hand").exists()
    assert all_gone(components)()
    assert not lifecycle.down("by-hand")


def test_nothing_survives_a_keeper_that_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    lifecycle.up("killed", nodes=0, bare=True)
    components = read_status(sandbox_dir("killed"))
    keeper = read_keeper(sandbox_dir("killed"))
    assert keeper is not None

    os.kill(keeper.identity.pid, signal.SIGKILL)

    wait_until("children gone", all_gone(components))
    with pytest.raises(SandboxError, match="'killed' is not up"):
        lifecycle.kubeconfig_of("killed")
    assert lifecycle.down("killed")
    assert not ProcessIdentity(keeper.identity.pid, keeper.identity.start_ticks).is_alive()


def test_an_interrupted_start_leaves_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    state_dir = sandbox_dir("interrupted", environment)
    script = "from sandbox import lifecycle; lifecycle.up('interrupted', nodes=0, bare=True)"
    with subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE) as owner:
        wait_until("first child", lambda: bool(read_status(state_dir)), interval_seconds=0.01)
        components = read_status(state_dir)

        owner.send_signal(signal.SIGINT)
        _, output = owner.communicate(timeout=180)

    assert b"KeyboardInterrupt" in output
    assert all_gone(components)()
    assert not state_dir.exists()


def test_the_api_server_calls_webhooks_on_loopback(control_plane: ControlPlane, namespace: str) -> None:
    certificate, key = control_plane.pki.server_certificate("hook").write(control_plane.state_dir, "hook")
    port = control_plane.port("hook")
    process = control_plane.start_process("hook", [sys.executable, "-c", WEBHOOK, str(port), certificate, key])
    wait_until("webhook", lambda: "listening" in process.log_tail(), process=process)
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "hook"},
        "webhooks": [
            {
                "name": "hook.stowplan.dev",
                "clientConfig": {
                    "url": f"https://127.0.0.1:{port}/validate",
                    "caBundle": base64.b64encode(control_plane.ca_file.read_bytes()).decode(),
                },
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
            }
        ],
    }
    control_plane.kubectl("create", "-f", "-", stdin=json.dumps(configuration))
    try:
        # The API server learns of the configuration within about a second; a dry run asks the webhook as well.
        def refused() -> bool:
            try:
                control_plane.kubectl("create", "configmap", "any", "-n", namespace, "--dry-run=server")
            except SandboxError as error:
                return "the hook says no" in str(error)
            return False

        wait_until("refusal by the webhook", refused)
    finally:
        control_plane.kubectl("delete", "validatingwebhookconfiguration", "hook")
        control_plane.stop_component("hook")
