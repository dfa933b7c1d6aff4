"""The webhook as a process of its own, registered with a real API server."""

from __future__ import annotations

import base64
import json
import re
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from sandbox.control_plane import ControlPlane
from sandbox.probe import healthy, wait_until
from stowplan.model.builtin_classes import PRIORITY_CLASSES

OPTED_IN: Final = {"stowplan.dev/inject": "enabled"}
ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Webhook:
    """The webhook as a process beside a control plane, registered for namespaces with the label `admission-test`."""

    plane: ControlPlane
    folder: Path
    """Of its certificate."""
    name: str

    def start(self) -> None:
        """Start the process and wait until it has read the cluster."""
        argv: list[str | Path] = [sys.executable, "-m", "webhook", "--kubeconfig", self.plane.kubeconfig]
        argv += [
            "--port",
            str(self.plane.port(self.name)),
            "--metrics-port",
            str(self.plane.port(f"{self.name}-metrics")),
        ]
        argv += ["--tls-dir", self.folder, "--self-signed", "--drain-seconds", "0"]
        process = self.plane.start_process(self.name, argv, {"PYTHONPATH": str(ROOT)})
        url = f"http://127.0.0.1:{self.plane.port(f'{self.name}-metrics')}/readyz"
        wait_until("the webhook is ready", partial(healthy, url, self.plane.pki.ssl_context()), process=process)

    def reviews(self) -> dict[tuple[str, str], float]:
        """How many reviews had which outcome and reason."""
        url = f"http://127.0.0.1:{self.plane.port(f'{self.name}-metrics')}/metrics"
        with urllib.request.urlopen(url, timeout=60) as answer:
            text = answer.read().decode()
        found = re.findall(r'stowplan_admission_reviews_total\{outcome="(\w+)",reason="(\w+)"\} (\S+)', text)
        return {(outcome, reason): float(count) for outcome, reason, count in found}

    def configuration(self) -> dict[str, Any]:
        """Registered twice, re-invoked if needed."""
        ca_bundle = base64.b64encode((self.folder / "ca.crt").read_bytes()).decode()
        entry = {
            "clientConfig": {"url": f"https://127.0.0.1:{self.plane.port(self.name)}/mutate", "caBundle": ca_bundle},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "failurePolicy": "Ignore",
            "timeoutSeconds": 30,  # with Ignore a review that a stalled machine answers late would not count
            "sideEffects": "None",
            "reinvocationPolicy": "IfNeeded",
            "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {**OPTED_IN, "admission-test": self.name}},
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": self.name},
            "webhooks": [{**entry, "name": f"{letter}.{self.name}.stowplan.dev"} for letter in "ab"],
        }

    def opt_in(self, namespace: str) -> None:
        """Let the webhook see the namespace's pods."""
        labels = [f"{key}={value}" for key, value in {**OPTED_IN, "admission-test": self.name}.items()]
        self.plane.kubectl("label", "namespace", namespace, *labels)


@contextmanager
def installed(plane: ControlPlane, folder: Path, name: str) -> Iterator[Webhook]:
    """With the built-in PriorityClasses and without the custom resource definitions; gone afterwards."""
    for known in PRIORITY_CLASSES:
        manifest = {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": known.name},
            "value": known.value,
            "preemptionPolicy": known.preemption_policy,
        }
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    running = Webhook(plane, folder, name)
    running.start()
    plane.kubectl("create", "-f", "-", stdin=json.dumps(running.configuration()))
    yield running
    plane.kubectl("delete", "mutatingwebhookconfiguration", name)
    if name in plane.processes:
        plane.stop_component(name)


def create(plane: ControlPlane, namespace: str, obj: dict[str, Any], *flags: str) -> Any:
    """Create an object; returns it as stored."""
    return plane.kubectl_json("create", "-n", namespace, *flags, "-f", "-", stdin=json.dumps(obj))


def be_patient(plane: ControlPlane) -> None:
    """Give the installed webhook half a minute for a review: with Ignore one that a stalled machine answers late would not count."""
    patch = json.dumps([{"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 30}])
    plane.kubectl("patch", "mutatingwebhookconfiguration", "stowplan", "--type=json", "-p", patch)
