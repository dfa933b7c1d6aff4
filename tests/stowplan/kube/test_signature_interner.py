"""Templates: what pods share, and that a template that is known never gives a pod another signature."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stowplan.kube.pod_projection import project_pod
from stowplan.kube.signature_interner import SignatureInterner, template_of
from stowplan.model.pod import Owner, PodSignature


def body(uid: str = "u1", node: str = "", volume: str = "abcde", **spec: Any) -> bytes:
    """A replica as the API server writes it: no white space, and a volume for its token."""
    mount = {"name": f"kube-api-access-{volume}", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    container = {"name": "app", "resources": {"requests": {"cpu": "500m"}}, "volumeMounts": [mount]}
    where = {"nodeName": node} if node else {}
    made = {"volumes": [{"name": mount["name"], "projected": {}}], "containers": [container], **where, **spec}
    owner = {"kind": "ReplicaSet", "name": "web-5d4", "uid": "r", "controller": True}
    meta = {
        "name": f"web-5d4-{uid}",
        "namespace": "shop",
        "uid": uid,
        "labels": {"app": "web"},
        "ownerReferences": [owner],
    }
    return json.dumps({"metadata": meta, "spec": made, "status": {"phase": "Pending"}}, separators=(",", ":")).encode()


def test_replicas_are_one_template_whatever_their_token_and_their_node() -> None:
    interner = SignatureInterner()
    first = project_pod(body(), interner).signature
    calls: list[int] = []

    def spec(raw: bytes) -> bytes:
        return json.dumps(json.loads(raw)["spec"], separators=(",", ":")).encode()

    def never() -> PodSignature:
        calls.append(1)
        return first

    meta = json.loads(body())["metadata"]
    for raw in (body(), body(volume="zz9zz")):
        template = template_of(meta, spec(raw), Owner("ReplicaSet", "web-5d4", "r"))
        assert interner.signature(template, never) is first
    assert calls == []

    one, other = (
        project_pod(body(uid, node, volume), interner) for uid, node, volume in (("a", "n1", "q"), ("b", "n2", "w"))
    )
    assert one.signature is other.signature is first
    assert (one.node_name, other.node_name) == ("n1", "n2")


def test_what_is_forgotten_is_decoded_again() -> None:
    interner = SignatureInterner(limit=1)
    first = project_pod(body(priority=1), interner).signature

    project_pod(body(priority=2), interner)

    assert project_pod(body(priority=1), interner).signature == first
    assert len(interner) == 1


SPECS = st.fixed_dictionaries(
    {},
    optional={
        "nodeName": st.sampled_from(["n1", "n2"]),
        "priority": st.sampled_from([0, 5]),
        "activeDeadlineSeconds": st.sampled_from([60, 90]),
        "schedulingGates": st.just([{"name": "wait"}]),
        "nodeSelector": st.sampled_from([{"disk": "ssd"}, {"disk": "nodeName"}]),
        "containers": st.sampled_from(
            [
                [{"name": "a", "resources": {"requests": {"cpu": "1"}}}],
                [{"name": "a", "resources": {"requests": {"cpu": "2"}}}],
                [{"name": "a", "env": [{"name": "X", "value": '"nodeName":"n1"'}]}],
            ]
        ),
        "volumes": st.sampled_from(
            [
                [{"name": "kube-api-access-abcde", "projected": {}}],
                [{"name": "kube-api-access-fghij", "projected": {}}],
                [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}],
            ]
        ),
        "affinity": st.just(
            {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": []}]}
                }
            }
        ),
    },
)
METAS = st.fixed_dictionaries(
    {"uid": st.sampled_from(["u1", "u2"]), "name": st.just("p"), "namespace": st.sampled_from(["x", "y"])},
    optional={
        "labels": st.sampled_from([{"app": "a"}, {"app": "a", "apps.kubernetes.io/pod-index": "1"}, {}, None]),
        "annotations": st.sampled_from([{"stowplan.dev/gang": "all"}, {"other": "1"}, {}]),
        "ownerReferences": st.sampled_from(
            [
                [{"kind": "DaemonSet", "name": "d", "uid": "1", "controller": True}],
                [{"kind": "Job", "name": "d", "uid": "1", "controller": True}],
            ]
        ),
    },
)


@given(st.lists(st.tuples(METAS, SPECS), min_size=2, max_size=12))
def test_a_pod_is_read_alike_whatever_was_seen_before(pods: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    interner = SignatureInterner()
    for meta, spec in pods:
        raw = json.dumps({"metadata": meta, "spec": spec}, separators=(",", ":")).encode()
        assert project_pod(raw, interner) == project_pod(raw)
