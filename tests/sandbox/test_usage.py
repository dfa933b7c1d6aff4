"""What KWOK is told about usage."""

import yaml

from sandbox.usage import CPU_ANNOTATION, MEMORY_ANNOTATION, kwok_configuration, resource_metrics_path


def test_usage_comes_from_annotations_and_is_served_where_nodes_say() -> None:
    usage, metric = yaml.safe_load_all(kwok_configuration())
    assert usage["kind"] == "ClusterResourceUsage"
    by_resource = usage["spec"]["usages"][0]["usage"]
    assert CPU_ANNOTATION in by_resource["cpu"]["expression"]
    assert MEMORY_ANNOTATION in by_resource["memory"]["expression"]
    assert metric["kind"] == "Metric"
    assert metric["spec"]["path"] == resource_metrics_path("{nodeName}")
    names = {m["name"]: m["dimension"] for m in metric["spec"]["metrics"]}
    # Those that metrics-server reads (pkg/scraper/client/resource/decode.go); a node without its own is left out.
    assert names == {
        "container_cpu_usage_seconds_total": "container",
        "container_memory_working_set_bytes": "container",
        "node_cpu_usage_seconds_total": "node",
        "node_memory_working_set_bytes": "node",
    }
