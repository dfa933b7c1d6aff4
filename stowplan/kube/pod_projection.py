"""From the JSON of a pod to its signature and the little that is its own.

Sizes and speed, measured: see `tests/stowplan/kube/test_projection.py`.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from stowplan.kube.deadlines import deadline_of
from stowplan.kube.shapes import Container, OwnSpec, PodCondition, PodMeta, PodObject, PodSpec
from stowplan.kube.signature_interner import SignatureInterner, template_of
from stowplan.model import disruption, keys
from stowplan.model.placement import parse_gang, parse_replica_limit, parse_services
from stowplan.model.pod import HostPort, Owner, Pod, PodAffinityTerm, PodSignature, PreferredNodes, SpreadConstraint
from stowplan.model.resources import PODS, effective_requests, is_sidecar
from stowplan.model.selectors import (
    Expression,
    LabelSelector,
    parse_label_selector,
    parse_node_selector_term,
    parse_toleration,
)

REPLICA_LABELS: Final = frozenset(
    {
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/job-completion-index",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
    }
)
"""Labels that differ between the replicas of one workload; the last two are copied from the node at binding (KEP-4742, on since 1.35)."""

_PLANNABLE_VOLUMES: Final = frozenset(
    {"name", "configMap", "secret", "projected", "downwardAPI", "emptyDir", "hostPath", "image", "nfs", "gitRepo"}
)
"""Volume sources on which no Filter plugin of kube-scheduler looks; all others may be bound to nodes or limited per node."""
_DECODER: Final = msgspec.json.Decoder(PodObject)
_OWN: Final = msgspec.json.Decoder(OwnSpec)
_SPEC: Final = msgspec.json.Decoder(PodSpec)


def project_pod(raw: bytes | msgspec.Raw, interner: SignatureInterner | None = None) -> Pod:
    """The pod that the JSON describes.

    Args:
        raw: one Pod object.
        interner: shares equal signatures and owners, and remembers templates; without one each pod has its own.

    Raises:
        msgspec.DecodeError: no pod.
        QuantityError: a request is not a quantity.
    """
    shared = SignatureInterner(limit=1) if interner is None else interner
    decoded = _DECODER.decode(raw)
    meta, own, status = decoded.metadata, _OWN.decode(decoded.spec), decoded.status
    owner, node = _owner(meta), own.get("nodeName", "")
    template = template_of(meta, bytes(decoded.spec), owner)
    signature = shared.signature(
        template, lambda: _signature(meta, _SPEC.decode(decoded.spec), owner, bound=bool(node))
    )
    created = meta.get("creationTimestamp")
    gates = {gate["name"] for gate in own.get("schedulingGates") or ()}
    return Pod(
        uid=meta.get("uid", ""),
        namespace=signature.namespace,
        name=meta.get("name", ""),
        signature=signature,
        owner=shared.owner(owner) if owner else None,
        node_name=sys.intern(node),
        nominated_node=sys.intern(status.get("nominatedNodeName", "")),
        created_s=int(created.timestamp()) if created else 0,
        ends_s=deadline_of(own, status, created),
        finished=status.get("phase") in ("Succeeded", "Failed"),
        deleting=bool(meta.get("deletionTimestamp")),
        gated=bool(gates - {keys.GATE}),
        held=keys.GATE in gates,
        unschedulable=any(_says_unschedulable(condition) for condition in status.get("conditions") or ()),
    )


def _says_unschedulable(condition: PodCondition) -> bool:
    return (condition.get("type"), condition.get("status"), condition.get("reason")) == (
        "PodScheduled",
        "False",
        "Unschedulable",
    )


def _owner(meta: PodMeta) -> Owner | None:
    for reference in meta.get("ownerReferences") or ():
        if reference.get("controller"):
            return Owner(reference.get("kind", ""), reference.get("name", ""), reference.get("uid", ""))
    return None


def _signature(meta: PodMeta, spec: PodSpec, owner: Owner | None, *, bound: bool) -> PodSignature:
    namespace = meta.get("namespace", "")
    all_labels = meta.get("labels") or {}
    labels = {key: value for key, value in all_labels.items() if key not in REPLICA_LABELS}
    affinity = spec.get("affinity") or {}
    node_affinity = affinity.get("nodeAffinity") or {}
    pod_affinity = affinity.get("podAffinity") or {}
    anti_affinity = affinity.get("podAntiAffinity") or {}
    selecting = _Selecting(namespace, all_labels)
    notes = meta.get("annotations") or {}
    owner_key = f"{owner.kind}/{owner.name}" if owner else ""
    signature = PodSignature(
        namespace=namespace,
        labels=tuple(sorted(labels.items())),
        requests=tuple(sorted({**effective_requests(spec), PODS: 1}.items())),
        owner_key=owner_key,
        priority=spec.get("priority") or 0,
        workload_class=_workload_class(meta, labels),
        scheduler_name=spec.get("schedulerName") or keys.DEFAULT_SCHEDULER_NAME,
        node_selector=tuple(Expression(k, "In", (v,)) for k, v in sorted((spec.get("nodeSelector") or {}).items())),
        required_nodes=None if _pinned(owner, bound=bound) else _required_nodes(node_affinity),
        preferred_nodes=tuple(
            PreferredNodes(parse_node_selector_term(t.get("preference") or {}), t.get("weight", 0))
            for t in node_affinity.get(_PREFERRED) or ()
        ),
        tolerations=tuple(parse_toleration(t) for t in spec.get("tolerations") or ()),
        host_ports=_host_ports(spec),
        spread=tuple(selecting.spread(c) for c in spec.get("topologySpreadConstraints") or ()),
        affinity=tuple(selecting.term(t) for t in pod_affinity.get(_REQUIRED) or ()),
        anti_affinity=tuple(selecting.term(t) for t in anti_affinity.get(_REQUIRED) or ()),
        preferred_affinity=tuple(selecting.weighted(t) for t in pod_affinity.get(_PREFERRED) or ())
        + tuple(selecting.weighted(t, -1) for t in anti_affinity.get(_PREFERRED) or ()),
        gang=parse_gang(notes.get("stowplan.dev/gang"), all_labels, owner_key),
        images=_images(spec),
        talks_to=parse_services(notes.get("stowplan.dev/talks-to"), namespace),
        per_node=parse_replica_limit(notes.get("stowplan.dev/max-per-node")),
        per_spot_pool=parse_replica_limit(notes.get("stowplan.dev/max-per-spot-pool")),
    )
    reason, pinned = _unplannable(spec) or _selects_replicas(signature), _pinned_by(meta, spec, owner)
    if not (reason or pinned):
        return signature
    return dataclasses.replace(signature, unplannable=reason, pinned=pinned)


_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


def _pinned(owner: Owner | None, *, bound: bool) -> bool:
    """A DaemonSet pod on its node: its affinity names that node, has done its work, and would only keep it from sharing."""
    return bound and owner is not None and owner.kind == "DaemonSet"


def _required_nodes(node_affinity: Mapping[str, Any]) -> Any:
    required = node_affinity.get(_REQUIRED)
    if required is None:
        return None
    return tuple(parse_node_selector_term(term) for term in required.get("nodeSelectorTerms") or ())


def _workload_class(meta: PodMeta, labels: Mapping[str, str]) -> str:
    """What the webhook decided (`standard.r7`), else what the label asks for."""
    decided = (meta.get("annotations") or {}).get("status.stowplan.dev/class-revision", "")
    return decided.rsplit(".r", 1)[0] or labels.get(keys.CLASS, "")


def _images(spec: PodSpec) -> tuple[str, ...]:
    """What has to be on the node before the pod runs, by the names that kubelets list."""
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    names = {container.get("image") or "" for container in containers} - {""}
    return tuple(sorted(sys.intern(_tagged(name)) for name in names))


def _tagged(name: str) -> str:
    """As kube-scheduler's ImageLocality completes a name: the last part after a slash carries a tag or a digest."""
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


def _host_ports(spec: PodSpec) -> tuple[HostPort, ...]:
    """The ports taken on the node: those of containers and sidecars, as kube-scheduler's NodePorts counts them."""
    running: list[Container] = [c for c in spec.get("initContainers") or () if is_sidecar(c)]
    running += spec.get("containers") or ()
    ports = {
        HostPort(port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", port["hostPort"])
        for container in running
        for port in container.get("ports") or ()
        if port.get("hostPort")
    }
    return tuple(sorted(ports, key=lambda p: (p.port, p.protocol, p.address)))


class _Selecting:
    """Terms that select pods, completed by what they take from the pod itself: its namespace and values of its labels."""

    def __init__(self, namespace: str, labels: Mapping[str, str]) -> None:
        self._namespace = namespace
        self._labels = labels

    def term(self, term: Mapping[str, Any], weight: int = 0) -> PodAffinityTerm:
        by_label = term.get("namespaceSelector")
        named = tuple(sorted(term.get("namespaces") or ()))
        return PodAffinityTerm(
            selector=self._selector(term),
            topology_key=term.get("topologyKey", ""),
            namespaces=named if named or by_label is not None else (self._namespace,),
            namespace_selector=parse_label_selector(by_label),
            weight=weight,
        )

    def weighted(self, preferred: Mapping[str, Any], sign: int = 1) -> PodAffinityTerm:
        return self.term(preferred.get("podAffinityTerm") or {}, sign * int(preferred.get("weight", 0)))

    def spread(self, constraint: Mapping[str, Any]) -> SpreadConstraint:
        return SpreadConstraint(
            topology_key=constraint.get("topologyKey", ""),
            max_skew=constraint.get("maxSkew", 1),
            hard=constraint.get("whenUnsatisfiable") == "DoNotSchedule",
            selector=self._selector(constraint),
            min_domains=constraint.get("minDomains") or 1,
            honor_node_affinity=constraint.get("nodeAffinityPolicy", "Honor") == "Honor",
            honor_taints=constraint.get("nodeTaintsPolicy", "Ignore") == "Honor",
        )

    def _selector(self, term: Mapping[str, Any]) -> LabelSelector | None:
        """The selector with the pod's own values merged in; newer API servers have done it already, so nothing is added twice."""
        selector = parse_label_selector(term.get("labelSelector"))
        if selector is None:
            return None
        merged = list(selector.expressions)
        for operator, wanted in (("In", "matchLabelKeys"), ("NotIn", "mismatchLabelKeys")):
            own = (
                Expression(key, operator, (self._labels[key],)) for key in term.get(wanted) or () if key in self._labels
            )
            merged += [expression for expression in own if expression not in merged]
        return LabelSelector(tuple(merged))


def _pinned_by(meta: PodMeta, spec: PodSpec, owner: Owner | None) -> str:
    """What keeps a pod from being moved, by its own words first and then by cluster-autoscaler's rules and the work that would be lost."""
    annotations = meta.get("annotations") or {}
    if annotations.get("karpenter.sh/do-not-disrupt") == "true":
        return disruption.DO_NOT_DISRUPT
    said = annotations.get("cluster-autoscaler.kubernetes.io/safe-to-evict")
    if said in ("true", "false"):
        return "" if said == "true" else disruption.SAFE_TO_EVICT
    if owner is None:
        return "no controller creates it again"
    if owner.kind == "Job":
        return "its work so far would be lost"
    local = any("emptyDir" in volume or "hostPath" in volume for volume in spec.get("volumes") or ())
    return "local data" if local else ""


def _unplannable(spec: PodSpec) -> str:
    """The first need that a signature does not carry: feasibility then depends on more than the planner sees."""
    if spec.get("resourceClaims"):
        return "resource claims"
    if spec.get("schedulingGroup") or spec.get("workloadRef"):
        return "scheduling group"
    for volume in spec.get("volumes") or ():
        foreign = sorted(volume.keys() - _PLANNABLE_VOLUMES)
        if foreign:
            return f"volume {msgspec.json.decode(volume['name'], type=str)}: {foreign[0]}"
    return ""


def _selects_replicas(signature: PodSignature) -> str:
    """Selectors over labels that signatures leave out cannot be decided from signatures."""
    selectors = [c.selector for c in signature.spread]
    selectors += [t.selector for t in (*signature.affinity, *signature.anti_affinity)]
    for expression in (e for selector in selectors if selector for e in selector.expressions):
        if expression.key in REPLICA_LABELS:
            return f"selector over label {expression.key}"
    return ""
