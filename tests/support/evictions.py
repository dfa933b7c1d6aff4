"""What tests of evictions on a control plane put on nodes, and what they ask of the cluster and of the command's output."""

from __future__ import annotations

import json
from typing import Any

from sandbox.processes import Process
from tests.support.extender_processes import Kubectl, pod


def by_default(manifest: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """The pod, or the Deployment's pods, for the default scheduler."""
    of_pod = manifest["spec"]["template"]["spec"] if "template" in manifest["spec"] else manifest["spec"]
    of_pod |= {"schedulerName": "default-scheduler", **spec}
    return manifest


def bound(name: str, node: str) -> dict[str, Any]:
    """A small pod that nobody would create again, so that it stays on its node and keeps that in use."""
    manifest = by_default(pod(name), nodeName=node)
    manifest["spec"]["containers"][0]["resources"]["requests"] = {"cpu": "10m", "memory": "16Mi"}
    return manifest


def budget(name: str) -> dict[str, Any]:
    """At most one pod of the Deployment may be away."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": name}}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec}


def allowed(kubectl: Kubectl, namespace: str, name: str) -> int:
    """How many pods the budget lets be away now."""
    found = kubectl("get", "poddisruptionbudget", name, "-n", namespace)["status"].get("disruptionsAllowed", 0)
    return int(found)


def standing(kubectl: Kubectl, namespace: str, node: str) -> list[str]:
    """UIDs of the pods on a node."""
    items = kubectl("get", "pods", "-n", namespace)["items"]
    return sorted(p["metadata"]["uid"] for p in items if p["spec"].get("nodeName") == node)


def cordoned(kubectl: Kubectl, node: str) -> bool:
    """Whether the node takes no new pods."""
    return bool(kubectl("get", "node", node)["spec"].get("unschedulable"))


def reports(process: Process) -> list[dict[str, Any]]:
    """What it has printed, a report a round."""
    lines = process.log.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]


def evictions_of(process: Process) -> int:
    """How many pods its rounds have evicted."""
    evictions = [e for report in reports(process) for acted in report["acted"] for e in acted["evictions"]]
    return sum(e["outcome"] == "evicted" for e in evictions)


def healthy_over_time(log: str, name: str) -> list[int]:
    """How many pods of a Deployment were ready after each event of a watch."""
    decoder, at, ready, counts = json.JSONDecoder(), 0, set[str](), list[int]()
    while at < len(log):
        try:
            event, at = decoder.raw_decode(log, at)
        except json.JSONDecodeError:
            break  # kubectl was ended in the middle of it
        at += len(log[at:]) - len(log[at:].lstrip())
        it = event["object"]
        if it["metadata"].get("labels", {}).get("app") != name:
            continue
        conditions = {c["type"]: c["status"] for c in it["status"].get("conditions", ())}
        there = event["type"] != "DELETED" and "deletionTimestamp" not in it["metadata"]
        (ready.add if there and conditions.get("Ready") == "True" else ready.discard)(it["metadata"]["uid"])
        counts.append(len(ready))
    return counts
