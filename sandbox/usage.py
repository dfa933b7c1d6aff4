"""Simulated usage: what KWOK is told, so that its nodes serve the kubelet's `/metrics/resource`.

A pod says what each of its containers uses by the annotations that KWOK's own configuration reads.
"""

import yaml

CPU_ANNOTATION = "kwok.x-k8s.io/usage-cpu"
"""CPU in use by each container of the pod, a quantity; 1m where absent."""
MEMORY_ANNOTATION = "kwok.x-k8s.io/usage-memory"
"""Working set of each container of the pod, a quantity; 1Mi where absent."""
PATH_ANNOTATION = "metrics.k8s.io/resource-metrics-path"
"""On a node: where metrics-server finds its usage; KWOK serves all nodes on one port."""


def resource_metrics_path(node: str) -> str:
    """The path at which KWOK serves the usage on a node."""
    return f"/metrics/nodes/{node}/metrics/resource"


def kwok_configuration() -> str:
    """KWOK's ClusterResourceUsage (what pods use) and Metric (how nodes tell it), as YAML documents."""
    expressions = {
        "cpu": f'"{CPU_ANNOTATION}" in pod.metadata.annotations ? Quantity(pod.metadata.annotations["{CPU_ANNOTATION}"]) : Quantity("1m")',
        "memory": f'"{MEMORY_ANNOTATION}" in pod.metadata.annotations '
        f'? Quantity(pod.metadata.annotations["{MEMORY_ANNOTATION}"]) : Quantity("1Mi")',
    }
    usage = {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterResourceUsage",
        "metadata": {"name": "by-annotation"},
        "spec": {"usages": [{"usage": {name: {"expression": text} for name, text in expressions.items()}}]},
    }
    metrics = [
        _metric(
            "container_cpu_usage_seconds_total", "container", "counter", 'pod.CumulativeUsage("cpu", container.name)'
        ),
        _metric("container_memory_working_set_bytes", "container", "gauge", 'pod.Usage("memory", container.name)'),
        _metric("node_cpu_usage_seconds_total", "node", "counter", 'node.CumulativeUsage("cpu")'),
        _metric("node_memory_working_set_bytes", "node", "gauge", 'node.Usage("memory")'),
    ]
    metric = {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Metric",
        "metadata": {"name": "metrics-resource"},
        "spec": {"path": resource_metrics_path("{nodeName}"), "metrics": metrics},
    }
    return yaml.safe_dump_all([usage, metric], sort_keys=False)


def _metric(name: str, dimension: str, kind: str, value: str) -> dict[str, object]:
    labels = {"container": "container.name", "namespace": "pod.metadata.namespace", "pod": "pod.metadata.name"}
    of_container = [{"name": label, "value": source} for label, source in labels.items()]
    return {
        "name": name,
        "help": name,
        "dimension": dimension,
        "kind": kind,
        "value": value,
        **({"labels": of_container} if dimension == "container" else {}),
    }
