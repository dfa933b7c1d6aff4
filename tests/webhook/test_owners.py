"""One watch of owners tells how many pods they want and whose they are."""

import json
from typing import Any

import msgspec

from stowplan.kube.codec import ObjectKey
from stowplan.kube.owner_links import OwnerLinks
from stowplan.model.workload import Controller
from tests.support.pods import NAMESPACE, pod
from webhook.owners import LinkedOwners, Owner, project_linked_owner
from webhook.stores import Replicas
from webhook.workload import identify

SCALED = {"kind": "ScaledJob", "name": "scaled", "controller": True, "apiVersion": "keda.sh/v1alpha1"}


def _job(name: str, owner: dict[str, Any] | None) -> Owner:
    meta = {"name": name, "namespace": NAMESPACE, "ownerReferences": [owner] if owner else []}
    raw = msgspec.Raw(json.dumps({"metadata": meta, "spec": {"parallelism": 3}}).encode())
    return project_linked_owner("Job")(raw)


def test_the_owner_chain_names_the_workload_of_a_pod_and_its_job_the_replicas() -> None:
    links, counts = OwnerLinks(), dict[tuple[str, str, str], int]()
    jobs = LinkedOwners("Job", Replicas("Job", counts), links)
    jobs.replace([_job("scaled-x1", SCALED), _job("plain", None)])

    assert counts == {(NAMESPACE, "Job", "scaled-x1"): 3, (NAMESPACE, "Job", "plain"): 3}
    found = identify(pod(owner=("Job", "scaled-x1")), NAMESPACE, links.of)
    assert (found.kind, found.name, found.owner_kind, found.owner_name) == ("ScaledJob", "scaled", "Job", "scaled-x1")
    assert identify(pod(owner=("Job", "plain")), NAMESPACE, links.of).kind == "Job"


def test_an_owner_that_changes_hands_or_goes_is_forgotten() -> None:
    links, counts = OwnerLinks(), dict[tuple[str, str, str], int]()
    jobs = LinkedOwners("Job", Replicas("Job", counts), links)
    jobs.upsert(_job("a", SCALED))
    assert links.of(NAMESPACE, "Job", "a") == Controller("ScaledJob", "scaled", "keda.sh/v1alpha1")
    jobs.upsert(_job("a", None))
    assert links.of(NAMESPACE, "Job", "a") is None
    jobs.upsert(_job("b", SCALED))
    jobs.delete(ObjectKey(NAMESPACE, "b", ""))

    assert links.of(NAMESPACE, "Job", "b") is None
    assert set(counts) == {(NAMESPACE, "Job", "a")}
