"""Decisions and the plan as JSON for people: the sentence that says why a pod is where it is, with its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from extender.answering.why_not import option_as_json
from extender.deciding.candidates import Option
from extender.deciding.decision_log import Decision
from extender.deciding.outcomes import Outcome
from extender.plan import SHOWN_ORDER, Plan, Rescue, Unplaced
from stowplan.model.money import dollars
from stowplan.model.pod import Pod, PodSignature
from stowplan.model.quantity import format_amount

_MOST_SLOTS: Final = 200
"""Signatures shown of a plan."""

_ABSTENTIONS: Final = {
    Outcome.OFF: "the extender is switched off",
    Outcome.NOT_SYNCED: "nodes and pods had not been read yet",
    Outcome.LAGGING: "the extender's view of the cluster was behind",
    Outcome.UNKNOWN_POD: "the pod could not be read",
    Outcome.UNPLANNABLE: "it has volumes, claims or a group that only the scheduler can weigh",
    Outcome.NOMINATED: "it was nominated to a node already",
    Outcome.SINGLE: "no choice of nodes was offered",
    Outcome.RETRIED: "a node named before did not work out, so all were offered again",
    Outcome.NO_FIT: "by our books it fits on none of the nodes offered",
    Outcome.ERROR: "deciding failed",
}


def gap_percent(cost: int, bound: int) -> float:
    """Distance of a cost and its proven bound, in percent of the cost."""
    return 0.0 if cost == 0 else round((cost - bound) * 100 / cost, 2)


def explain_decision(decision: Decision, bound_to: str) -> dict[str, Any]:
    """The decision as JSON.

    Args:
        decision: what was decided.
        bound_to: the node on which the pod stands now, empty where it has none or is gone.
    """
    return {
        "uid": decision.uid,
        "namespace": decision.namespace,
        "name": decision.name,
        "verb": decision.verb,
        "at": decision.at_s,
        "outcome": decision.outcome.value,
        "node": decision.node or None,
        "bound_to": bound_to or None,
        "offered": decision.offered,
        "kept": decision.kept,
        "plan": _figures(
            decision.plan_generation,
            decision.plan_source,
            decision.plan_cost,
            decision.plan_bound,
            decision.plan_solve_ms,
        ),
        "options": [option_as_json(option) for option in decision.options],
        "why": why(decision, bound_to),
    }


def why(decision: Decision, bound_to: str) -> str:
    """One sentence: which node, by what, at which price, and what the next best would have been."""
    pod = f"{decision.namespace}/{decision.name}"
    if not decision.node:
        return f"{pod} was left to the scheduler: {_ABSTENTIONS.get(decision.outcome, decision.outcome.value)}."
    best, *others = decision.options
    sentence = (
        f"{pod} was sent to {best.node} ({dollars(best.price_micro_usd_per_hour):.4f} $/h, "
        f"{'already in use' if best.occupied else 'opened for it'}{_gpus(best)}{_latency(best)}) by {_ground(decision)}"
    )
    if others:
        sentence += f"; next best of {decision.offered} nodes: {', '.join(_in_words(o) for o in others[:2])}"
    if bound_to and bound_to != decision.node:
        sentence += f"; the scheduler put it on {bound_to} instead"
    return sentence + "."


def explain_plan(plan: Plan) -> dict[str, Any]:
    """The plan's summary as JSON."""
    return {
        **_figures_of(plan),
        "placed": plan.placed,
        "signatures": len(plan.slots),
        "soft_terms": dict(plan.soft_terms),
        "fill_first": list(plan.fill_order[:SHOWN_ORDER]),
        "drain": list(plan.drain),
        "slots": [_slots(*of) for of in islice(plan.slots.items(), _MOST_SLOTS)],
        "rescues": [_rescue(found) for found in plan.rescues],
        "unplaced": [_unplaced(left) for left in plan.unplaced],
    }


def _figures_of(plan: Plan) -> dict[str, Any]:
    cost, bound = plan.cost_micro_usd_per_hour, plan.bound_micro_usd_per_hour
    return _figures(plan.generation, plan.source, cost, bound, plan.solve_ms)


def _figures(generation: int, source: str, cost: int, bound: int, solve_ms: int) -> dict[str, Any]:
    """How good a plan is: its cost and the proven bound, both micro-dollars an hour."""
    return {
        "generation": generation,
        "source": source,
        "cost_per_hour": dollars(cost),
        "bound_per_hour": dollars(bound),
        "gap_percent": gap_percent(cost, bound),
        "solve_ms": solve_ms,
    }


def _slots(signature: PodSignature, nodes: Mapping[str, int]) -> dict[str, Any]:
    """Where pods of a kind are to go, and how many to each node."""
    return {
        "namespace": signature.namespace,
        "owner": signature.owner_key,
        "requests": {resource: format_amount(resource, amount) for resource, amount in signature.requests},
        "nodes": dict(nodes),
    }


def _rescue(found: Rescue) -> dict[str, Any]:
    return {
        "namespace": found.signature.namespace,
        "owner": found.signature.owner_key,
        "node": found.node,
        "moves": [{"namespace": p.namespace, "pod": p.name, "from": p.node_name, "to": n} for p, n in found.moves],
    }


def _unplaced(left: Unplaced) -> dict[str, Any]:
    return {
        "namespace": left.signature.namespace,
        "owner": left.signature.owner_key,
        "count": left.count,
        "reason": left.reason,
        "nodes": left.nodes,
        "shortfalls": [str(shortfall) for shortfall in left.shortfalls],
    }


def explain_waiting(pod: Pod, plan: Plan) -> dict[str, Any]:
    """What the plan says of a pod that waits and was never asked about: the scheduler has found no node for it, or has not seen it yet."""
    unplaced = next((one for one in plan.unplaced if one.signature == pod.signature), None)
    found = next((one for one in plan.rescues if one.signature == pod.signature), None)
    sentence = f"{pod.namespace}/{pod.name} waits" + (" behind its scheduling gate, to be planned" if pod.held else "")
    if unplaced is not None:
        short = "".join(f", {shortfall}" for shortfall in unplaced.shortfalls)
        sentence += f": {unplaced.reason} on {unplaced.nodes} nodes{short}"
    if found is not None:
        sentence += f"; {found}"
    return {
        "uid": pod.uid,
        "namespace": pod.namespace,
        "name": pod.name,
        "outcome": "waiting",
        "unschedulable": pod.unschedulable,
        "rescuable": found is not None,
        "plan": _figures_of(plan),
        "why": sentence + ".",
    }


def _ground(decision: Decision) -> str:
    if decision.outcome is not Outcome.PLANNED:
        return "expected cost, as no planned slot was open"
    cost, bound = decision.plan_cost, decision.plan_bound
    return (
        f"plan {decision.plan_generation} ({decision.plan_source}), which costs {dollars(cost):.4f} $/h; "
        f"leaving running pods where they are, none can cost less than {dollars(bound):.4f} $/h "
        f"(gap {gap_percent(cost, bound)} %)"
    )


def _in_words(option: Option) -> str:
    use = "in use" if option.occupied else "empty"
    return f"{option.node} ({dollars(option.price_micro_usd_per_hour):.4f} $/h, {use}{_gpus(option)}{_latency(option)})"


def _gpus(option: Option) -> str:
    """What becomes of the node's GPUs, where that is weighed."""
    if option.fragments is None:
        return ""
    gpus = option.fragments.milli_gpus / 1000
    return f", {gpus:.2f} GPUs become unusable" if gpus >= 0 else f", {-gpus:.2f} GPUs are of use again"


def _latency(option: Option) -> str:
    """The named terms of latency, where there are any."""
    return f", latency {' '.join(f'{name} {points}' for name, points in option.latency)}" if option.latency else ""
