"""Why a pod is not on some other node: what that node lacks in asked, used and available, or what it would cost there."""

from __future__ import annotations

from typing import Any, Final

from extender.binpacking.eligibility import check
from extender.binpacking.refusal import RefusalReason
from extender.deciding.candidates import Option, View, evaluate
from extender.deciding.latency import sensitivity
from extender.scoring.expected_cost import OPENING, STARVING
from stowplan.model.money import MICRO_USD, dollars
from stowplan.model.pod import Pod
from stowplan.model.quantity import format_amount
from stowplan.model.resources import Shortfall, add, shortfalls

_WORDS: Final = {
    RefusalReason.NOT_READY: "it is cordoned or not ready",
    RefusalReason.UNTOLERATED_TAINT: "it has a taint that the pod does not tolerate",
    RefusalReason.NODE_AFFINITY: "the pod's node selector or required node affinity does not match it",
    RefusalReason.TOPOLOGY_KEY_MISSING: "it has no label that a required spread or affinity of the pod names",
}
_MICRO_HOURS: Final = MICRO_USD * 100 * 3600
"""Of a dollar, in the unit of expected costs."""
FITS: Final = "Fits"
UNKNOWN: Final = "NoSuchNode"
LIMIT: Final = "ReplicaLimit"


def expected_dollars(option: Option) -> float | None:
    """What the choice is expected to add to the bill.

    None for a node that would open, where GPUs are weighed by more than money, and under strategies that value otherwise.
    """
    cost = -option.value
    if not option.expected or cost >= OPENING or (option.fragments is not None and not option.fragments.money):
        return None
    return (cost - STARVING if cost >= STARVING else cost) / _MICRO_HOURS


def why_not(pod: Pod, name: str, chosen: Option | None, view: View) -> dict[str, Any]:
    """The answer as JSON, by the cluster of now.

    Args:
        pod: as it is now.
        name: of the node asked about.
        chosen: what the pod was sent to, if anything.
        view: what decisions read.
    """
    info = view.snapshot.nodes.get(name)
    if info is None:
        return _answer(name, UNKNOWN, f"there is no node {name}")
    if pod.node_name == name:
        return _answer(name, FITS, "the pod stands on it")
    refusal = check(pod.signature, info.node)
    if refusal is not None:
        return _answer(name, refusal.reason.value, _WORDS[refusal.reason])
    asked = dict(pod.signature.requests)
    used = add(info.used, view.reservations.used(name, besides=pod.uid))
    lacking = shortfalls(asked, used, info.node.allocatable)
    if lacking:
        words = "; ".join(f"{s.resource}: asks {_amount(s.resource, s.asked)}, {_available(s)}" for s in lacking)
        return _answer(name, RefusalReason.INSUFFICIENT_RESOURCES.value, words, lacking)
    feeling = sensitivity(pod.signature, view.classes, view.plan.guidance)
    added = view.nodes.added_cs(pod, name) if view.nodes is not None else 0
    option = evaluate(pod, asked, name, view, feeling, planned=False, added_cs=added)
    if option is None:
        return _answer(name, LIMIT, "the node or its spot pool has as many pods of this service as the plan allows")
    return {**_answer(name, FITS, _compared(option, chosen, view)), "option": option_as_json(option)}


def option_as_json(option: Option) -> dict[str, Any]:
    """A node that was compared, with the terms of its value."""
    return {
        "node": option.node,
        "planned": option.planned,
        "occupied": option.occupied,
        "value": option.value,
        "price_per_hour": dollars(option.price_micro_usd_per_hour),
        "seconds_added": option.added_cs / 100,
        "expected_cost": expected_dollars(option),
        "gpus_made_unusable": None if option.fragments is None else option.fragments.milli_gpus / 1000,
        "latency": dict(option.latency),
    }


def _amount(resource: str, amount: int) -> str:
    """An amount as people write it."""
    return format_amount(resource, amount)


def _available(short: Shortfall) -> str:
    left = _amount(short.resource, max(0, short.capacity - short.used))
    return f"{_amount(short.resource, short.used)} used of {_amount(short.resource, short.capacity)}, {left} available"


def _answer(name: str, reason: str, words: str, lacking: list[Shortfall] | None = None) -> dict[str, Any]:
    return {
        "node": name,
        "reason": reason,
        "resources": [
            {
                "resource": short.resource,
                "asking": _amount(short.resource, short.asked),
                "used": _amount(short.resource, short.used),
                "available": _amount(short.resource, max(0, short.capacity - short.used)),
            }
            for short in lacking or ()
        ],
        "why": words,
    }


def _compared(option: Option, chosen: Option | None, view: View) -> str:
    if option.node in view.drain:
        return "the pod fits, but the node is to run empty so that it can be removed"
    if chosen is None:
        return "the pod fits; the extender left the choice to the scheduler"
    if chosen.node == option.node:
        return "it is the node that was chosen"
    return f"the pod fits, but {_against(option, chosen)}"


def _against(option: Option, chosen: Option) -> str:
    if chosen.planned and not option.planned:
        return f"the plan holds its slot on {chosen.node}"
    if option.fragments is not None and chosen.fragments is not None:
        ours, theirs = option.fragments.milli_gpus / 1000, chosen.fragments.milli_gpus / 1000
        return (
            f"{ours:.2f} GPUs there would become unusable for the pods that come, against {theirs:.2f} on {chosen.node}"
        )
    if chosen.occupied and not option.occupied:
        return f"the node would have to be opened, and {chosen.node} is in use anyway"
    added, least = expected_dollars(option), expected_dollars(chosen)
    if added is None or least is None:
        return f"{chosen.node} was valued higher"
    return (
        f"is expected to add {added:.4f} $ to the bill there (the node would be in use {option.added_cs / 100:.0f} s longer), "
        f"against {least:.4f} $ on {chosen.node}"
    )
