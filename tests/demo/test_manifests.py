"""Workloads as Kubernetes objects."""

from demo.manifests import namespace_manifest, workload_manifest
from demo.workload import Kind
from tests.support.demo import workload


def test_a_deployment_has_the_size_of_the_vm_and_its_class() -> None:
    web = workload("web", workload_class="elastic", replicas=3, cores=2, gib=3)
    manifest = workload_manifest(web, "run-1", seconds_per_trace_second=0.01, node_selector={})

    assert (manifest["kind"], manifest["spec"]["replicas"]) == ("Deployment", 3)
    template = manifest["spec"]["template"]
    assert template["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "2", "memory": "3Gi"}}
    assert template["metadata"]["labels"]["stowplan.dev/class"] == "elastic"
    assert manifest["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert "nodeSelector" not in template["spec"]


def test_a_job_s_pods_run_as_long_as_the_vms_lived_in_the_window() -> None:
    # Arrives 100 s into the window and leaves at 600 s: 500 s of life, at 1:100 that is 5 s.
    job = workload("job", kind=Kind.JOB, replicas=4, arrival_s=100, departure_s=600)
    manifest = workload_manifest(job, "run-1", seconds_per_trace_second=0.01, node_selector={})

    assert manifest["spec"]["parallelism"] == manifest["spec"]["completions"] == 4
    assert manifest["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert manifest["spec"]["template"]["metadata"]["annotations"] == {
        "pod-complete.stage.kwok.x-k8s.io/delay": "5000ms",
        "pod-complete.stage.kwok.x-k8s.io/jitter-delay": "5000ms",
    }


def test_a_job_of_before_the_window_does_not_end_by_itself() -> None:
    job = workload("job", kind=Kind.JOB, arrival_s=-100, departure_s=500)
    manifest = workload_manifest(job, "run-1", seconds_per_trace_second=0.01, node_selector={})

    # A day, far longer than any run.
    delays = set(manifest["spec"]["template"]["metadata"]["annotations"].values())
    assert delays == {"86400000ms"}


def test_pods_can_be_confined_to_tainted_nodes() -> None:
    manifest = workload_manifest(workload(), "run-1", seconds_per_trace_second=0.01, node_selector={"ours": "run-1"})
    spec = manifest["spec"]["template"]["spec"]

    assert spec["nodeSelector"] == {"ours": "run-1"}
    assert spec["tolerations"] == [{"key": "ours", "operator": "Exists"}]


def test_only_the_stowplan_run_opts_its_namespace_in() -> None:
    assert namespace_manifest("demo", "r", opted_in=True)["metadata"]["labels"]["stowplan.dev/inject"] == "enabled"
    assert "stowplan.dev/inject" not in namespace_manifest("demo", "r", opted_in=False)["metadata"]["labels"]
