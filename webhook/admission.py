"""The verdict on one admission request: pure, total, from memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from stowplan.model.keys import CLASS_REVISION, DECISION, WHY
from stowplan.model.quantity import QuantityError
from stowplan.model.reasons import Outcome, Reason
from stowplan.model.resources import parse_amounts
from webhook.autoscalers import NO_SCALING, NO_VERTICAL
from webhook.capping import cap_requests
from webhook.containers import (
    Container,
    PodError,
    Role,
    annotations_of,
    check_shape,
    check_written,
    labels_of,
    read_containers,
)
from webhook.decision import APPLY, OBSERVE, Facts, build_record, encode_record
from webhook.eligibility import skip_reason
from webhook.explanation import explain
from webhook.gating import Gate
from webhook.heap_check import heap_warnings
from webhook.intent import read_intent
from webhook.learned import ProfileRecommender
from webhook.limits import set_limits
from webhook.matcher import Match, resolve_class
from webhook.mutation import apply_effects, apply_sizes, writable, write_output
from webhook.patch import PatchError, check_pod, make_patch
from webhook.qos import QoS, qos_of
from webhook.quota import limits_counted
from webhook.recommendation import Recommender
from webhook.reentry import restore
from webhook.replica_change import replica_changes
from webhook.review import AdmissionRequest
from webhook.rollout import observes
from webhook.scheduling import Effects, effects_of
from webhook.sizing import Sizing, Terms, choose, heap_of
from webhook.state import ClusterState
from webhook.verdict import Verdict, shorten
from webhook.workload import Workload, identify

SIZE: Final = "size"
PRIORITY: Final = "priority"
PLACEMENT: Final = "placement"
_ATTEMPTS: Final = (
    frozenset[str](),
    frozenset({SIZE}),
    frozenset({PRIORITY}),
    frozenset({SIZE, PRIORITY}),
    frozenset({SIZE, PRIORITY, PLACEMENT}),
)
"""What is given up, in this order, where the quota or a LimitRange has no room for the whole decision."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One pod with all that was read from it."""

    request: AdmissionRequest
    received: Mapping[str, Any]
    base: Mapping[str, Any]
    """As the user sent it; the received one itself where nothing of ours was in it."""
    containers: tuple[Container, ...]
    match: Match
    terms: Terms
    state: ClusterState
    observe: bool
    warnings: tuple[str, ...]

    @property
    def namespace(self) -> str:
        return self.terms.workload.namespace

    @property
    def pod_level(self) -> bool:
        return bool(self.base["spec"].get("resources"))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to become of the pod."""

    sizings: tuple[Sizing, ...]
    effects: Effects
    gave_up: Reason | None = None
    """Why no size was set although one was due."""


def decide(request: AdmissionRequest, state: ClusterState, recommender: Recommender | None = None) -> Verdict:
    """The verdict. Never raises: a pod the API server would refuse anyway, and any fault of ours, is allowed without a patch.

    Without a recommender the state's profiles are used.
    """
    try:
        known = recommender or ProfileRecommender(state.profiles, state.now_s, state.profile_max_age_s)
        return _decide(request, state, known)
    except (PodError, QuantityError) as error:
        return Verdict(Outcome.ERROR, Reason.INVALID_POD, str(error))
    except PatchError as error:
        return Verdict(Outcome.ERROR, Reason.PATCH_REFUSED, f"stowplan stood aside: {error}", fault=error)
    except Exception as error:  # noqa: BLE001 - stand aside on any fault of ours; the caller logs it
        return Verdict(Outcome.ERROR, Reason.INTERNAL, "stowplan stood aside: internal fault", fault=error)


def _decide(request: AdmissionRequest, state: ClusterState, recommender: Recommender) -> Verdict:
    skipped = skip_reason(request)
    if skipped is None and not state.synced:
        skipped = Reason.NOT_SYNCED
    if skipped is not None or request.pod is None:
        return Verdict(Outcome.SKIPPED, skipped or Reason.NOT_A_POD_CREATE, f"left alone ({skipped})")
    check_shape(request.pod)
    workload = request.workload or identify(request.pod, request.namespace, state.controller_of)
    restored = restore(request.pod, workload)
    if restored.final:
        return Verdict(Outcome.SKIPPED, Reason.ALREADY_DECIDED, "an earlier decision stands")
    case = _read(request, restored.pod, workload, state, recommender)
    case = replace(case, warnings=shorten([*restored.warnings, *case.warnings]))
    plan, decided = _fit(case)
    warnings = shorten([*case.warnings, *heap_warnings(plan.sizings, case.terms.intent)])
    return _conclude(replace(case, warnings=warnings), plan, decided)


def _read(
    request: AdmissionRequest,
    base: Mapping[str, Any],
    workload: Workload,
    state: ClusterState,
    recommender: Recommender,
) -> _Case:
    containers = read_containers(base)
    check_written(containers)
    labels, annotations = labels_of(base), annotations_of(base)
    namespace = workload.namespace
    policy = state.policies.get(namespace)
    match = resolve_class(labels, namespace, policy, state.classes)
    intent = read_intent(labels, annotations, match.workload_class, state.now_s)
    quotas = state.quotas.get(namespace, ())
    terms = Terms(
        workload=workload,
        workload_class=intent.apply_to(match.workload_class),
        intent=intent,
        policy=policy,
        ranges=state.limit_ranges.get(namespace, ()),
        scaling=state.scaling.get(workload.key, NO_SCALING),
        vertical=state.verticals.get(workload.key, NO_VERTICAL),
        node_shapes=state.node_shapes,
        overhead=parse_amounts(base["spec"].get("overhead")),
        limits_counted=limits_counted(quotas),
        guaranteed=qos_of(base["spec"]) is QoS.GUARANTEED,
        recommender=recommender,
    )
    return _Case(
        request=request,
        received=request.pod or {},
        base=base,
        containers=containers,
        match=match,
        terms=terms,
        state=state,
        observe=observes(intent.mode, match.workload_class.rollout, policy.rollout if policy else None, workload),
        warnings=(*match.warnings, *intent.warnings),
    )


def _fit(case: _Case) -> tuple[_Plan, dict[str, Any]]:
    """The fullest plan that the namespace's LimitRanges and quotas admit, and the pod it gives.

    Raises:
        PatchError: not even the record alone passes the check.
    """
    ranges = case.state.limit_ranges.get(case.namespace, ())
    quotas = case.state.quotas.get(case.namespace, ())
    problems: list[str] = []
    why = None
    for without in _ATTEMPTS:
        plan = _plan(case, without, why)
        decided = writable(case.base)
        apply_sizes(decided, plan.sizings)
        apply_effects(decided["spec"], plan.effects)
        problems = check_pod(case.base, decided, ranges, quotas)
        if not problems:
            return plan, decided
        if why is None:
            why = _reason_of(problems, {quota.name for quota in quotas})
    raise PatchError("; ".join(problems))


def _reason_of(problems: list[str], quotas: set[str]) -> Reason:
    limited = any(problem.partition(": ")[0] in quotas for problem in problems)
    return Reason.QUOTA_LIMITED if limited else Reason.LIMIT_RANGE_CLAMPED


def _plan(case: _Case, without: frozenset[str], why: Reason | None) -> _Plan:
    spec = case.base["spec"]
    effects = effects_of(
        spec, labels_of(case.base), case.terms.workload, case.terms.workload_class, case.terms.intent, case.state
    )
    if PRIORITY in without:
        effects = replace(effects, priority=None)
    if PLACEMENT in without:
        effects = Effects()
    if case.pod_level:
        return _Plan(tuple(Sizing(c, Reason.POD_LEVEL_RESPECTED) for c in case.containers), effects)
    if SIZE in without and why is not None:
        return _Plan(tuple(Sizing(c, why, limited_by={why}) for c in case.containers), effects, why)
    sizings = tuple(choose(container, case.terms) for container in case.containers)
    cap_requests(sizings, case.terms)
    set_limits(sizings, case.terms)
    return _Plan(sizings, effects)


def _conclude(case: _Case, plan: _Plan, decided: dict[str, Any]) -> Verdict:
    reason = _reason(case, plan)
    label = case.match.workload_class.label
    mode = OBSERVE if case.observe else APPLY
    changes = replica_changes(plan.sizings, case.terms.scaling, _replicas(case))
    facts = Facts(case.terms.workload.identity, label, mode, reason, _inputs(case, plan), _risk(plan), changes)
    record = build_record(facts, plan.sizings, plan.effects, case.base["spec"])
    name = case.match.workload_class.name
    why = explain(name, plan.sizings, plan.effects, changes, observe=case.observe, pod_level=case.pod_level)
    result = writable(case.base) if case.observe else decided
    write_output(result, {DECISION: encode_record(record), WHY: why, CLASS_REVISION: label})
    # Where nothing was taken out, `_fit` has compared these two already, or (observing) nothing but annotations differs.
    patch = make_patch(case.received, result, sound=case.base is case.received)
    audit = {"decision": record["id"], "class": label, "reason": str(reason)}
    if not patch:
        return Verdict(Outcome.SKIPPED, Reason.ALREADY_DECIDED, why, warnings=case.warnings, audit=audit)
    return Verdict(
        outcome=Outcome.OBSERVED if case.observe else Outcome.APPLIED,
        reason=Reason.OBSERVE_ONLY if case.observe else reason,
        why=why,
        patch=patch,
        warnings=case.warnings,
        audit=audit,
        pod=result,
        gate=Gate.NONE if case.observe else plan.effects.gate,
    )


def _reason(case: _Case, plan: _Plan) -> Reason:
    if plan.gave_up is not None:
        return plan.gave_up
    if case.match.reason is not None:
        return case.match.reason
    if case.pod_level:
        return Reason.POD_LEVEL_RESPECTED
    return next(s.reason for s in plan.sizings if s.container.role is Role.MAIN)


def _risk(plan: _Plan) -> Mapping[str, Any]:
    """Declared and achieved, where the main container's size was learned."""
    return next((s.recommendation.risk for s in plan.sizings if s.recommendation and s.recommendation.risk), {})


def _inputs(case: _Case, plan: _Plan) -> dict[str, str | int]:
    inputs: dict[str, str | int] = {}
    intent = case.terms.intent
    for sizing in plan.sizings:
        if sizing.container.role is Role.MAIN and sizing.recommendation is not None:
            inputs.update(sizing.recommendation.inputs)
            heap = heap_of(sizing.container, intent)
            inputs.update(heap.as_inputs() if heap is not None else {})
    replicas = _replicas(case)
    if replicas is not None:
        inputs["replicas"] = replicas
    if intent.override_reason:
        inputs["overrideReason"] = intent.override_reason
    if intent.latency is not None:
        inputs["latency"] = str(intent.latency)
    if intent.cost is not None:
        inputs["cost"] = str(intent.cost)
    return inputs


def _replicas(case: _Case) -> int | None:
    workload = case.terms.workload
    return case.state.replicas.get((workload.namespace, workload.owner_kind, workload.owner_name))
