"""Workloads as Kubernetes objects."""

from dataclasses import dataclass
from typing import Any, Final

from demo.workload import Kind, Workload
from stowplan.model import keys
from stowplan.model.quantity import format_bytes, format_cpu

RUN_LABEL = "demo.stowplan.dev/run"
"""On everything the demo creates; its value is unique to one run."""
WORKLOAD_LABEL = "demo.stowplan.dev/workload"
IMAGE = "registry.k8s.io/pause:3.10"
CONTAINER = "main"
_NEVER_MS = 24 * 3600 * 1000

Manifest = dict[str, Any]


def namespace_manifest(name: str, run: str, *, opted_in: bool) -> Manifest:
    """The run's own namespace, opted in to stowplan or not."""
    labels = {RUN_LABEL: run}
    if opted_in:
        labels[keys.INJECT] = "enabled"
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


@dataclass(frozen=True, slots=True)
class Consent:
    """What the pods of a run let stowplan do; where the namespace is not opted in, nobody reads it."""

    sizes: bool = False
    """Replace the numbers in the template by learned ones."""
    placement: bool = True
    """Set priority, spread and scheduler."""


SIZES_AS_WRITTEN: Final = Consent()


def workload_manifest(
    workload: Workload,
    run: str,
    *,
    seconds_per_trace_second: float,
    node_selector: dict[str, str],
    consent: Consent = SIZES_AS_WRITTEN,
) -> Manifest:
    """A Deployment, or a Job with as many parallel completions; requests as the trace has them.

    Args:
        workload: what to run.
        run: value of `RUN_LABEL`.
        seconds_per_trace_second: how much time is compressed; a Job's life in KWOK follows from it.
        node_selector: where pods may go; empty for anywhere.
        consent: what the pods let stowplan do.
    """
    labels = {RUN_LABEL: run, WORKLOAD_LABEL: workload.name, keys.CLASS: workload.workload_class}
    annotations = _completion(workload, seconds_per_trace_second)
    if consent.sizes:
        labels[keys.SIZE] = "auto"
    if not consent.placement:
        annotations[keys.KEEP] = "priority,spread,placement"
    template: Manifest = {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": _pod_spec(workload, node_selector),
    }
    if workload.kind is Kind.JOB:
        spec: Manifest = {"parallelism": workload.replicas, "completions": workload.replicas, "template": template}
        return _object("batch/v1", workload, {RUN_LABEL: run}, spec)
    spec = {
        "replicas": workload.replicas,
        "selector": {"matchLabels": {WORKLOAD_LABEL: workload.name}},
        "template": template,
    }
    return _object("apps/v1", workload, {RUN_LABEL: run}, spec)


def _object(api_version: str, workload: Workload, labels: dict[str, str], spec: Manifest) -> Manifest:
    metadata = {"name": workload.name, "labels": labels}
    return {"apiVersion": api_version, "kind": workload.kind.value, "metadata": metadata, "spec": spec}


def _pod_spec(workload: Workload, node_selector: dict[str, str]) -> Manifest:
    requests = {"cpu": format_cpu(workload.cpu_millicores), "memory": format_bytes(workload.memory_bytes)}
    spec: Manifest = {
        "containers": [{"name": CONTAINER, "image": IMAGE, "resources": {"requests": requests}}],
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
    }
    if workload.kind is Kind.JOB:
        spec["restartPolicy"] = "Never"
    if node_selector:
        spec["nodeSelector"] = node_selector
        spec["tolerations"] = [{"key": key, "operator": "Exists"} for key in node_selector]
    return spec


def _completion(workload: Workload, seconds_per_trace_second: float) -> dict[str, str]:
    """KWOK ends a Job's pod this long after it began to run; equal bounds switch its jitter off.

    One of before the window must not end by itself: `demo.replay.schedule` deletes it.
    """
    if workload.kind is not Kind.JOB or workload.departure_s is None:
        return {}
    milliseconds = round((workload.departure_s - workload.arrival_s) * seconds_per_trace_second * 1000)
    if workload.is_standing:
        milliseconds = _NEVER_MS
    return {f"pod-complete.stage.kwok.x-k8s.io/{key}": f"{milliseconds}ms" for key in ("delay", "jitter-delay")}
