"""The sentence under `status.stowplan.dev/why`: what happened to this pod, for whoever runs `kubectl describe`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stowplan.model.keys import SCHEDULER_NAME
from stowplan.model.quantity import format_amount
from stowplan.model.reasons import Reason
from webhook.containers import COMPUTE, Role
from webhook.gating import Gate
from webhook.provenance import saving_words
from webhook.replica_change import ReplicaChange
from webhook.scheduling import Effects
from webhook.sizing import Sizing

_MAX: Final = 720
_UNITS: Final = {"cpu": "CPU", "memory": "memory"}
_LIMITED: Final = {
    Reason.CLAMPED_MIN: "raised to a minimum",
    Reason.CLAMPED_MAX: "lowered to a maximum",
    Reason.LIMIT_RANGE_CLAMPED: "fitted to the LimitRange",
    Reason.QOS_KEPT: "limits follow requests to stay Guaranteed",
    Reason.QUOTA_LIMITED: "not sized: the quota has no room",
    Reason.NODE_LIMITED: "lowered to the largest node",
}


def explain(
    class_name: str,
    sizings: Sequence[Sizing],
    effects: Effects,
    changes: Sequence[ReplicaChange] = (),
    *,
    observe: bool,
    pod_level: bool,
) -> str:
    """One sentence; it says what would happen where `observe` is set."""
    parts = []
    if pod_level:
        parts.append("pod-level resources are respected")
    else:
        parts += [_container(sizing, observe=observe) for sizing in sizings if _worth_telling(sizing)]
    parts += [str(change) for change in changes]
    if effects.priority is not None:
        parts.append(f"priority {effects.priority.name}")
    if effects.spread:
        keys = [str(constraint["topologyKey"]).rpartition("/")[2] for constraint in effects.spread]
        parts.append(f"spread over {' and '.join(keys)}")
    if effects.capacity:
        parts.append("prefers " + " over ".join(_capacity_types(effects)))
    if effects.scheduler:
        parts.append(f"placed by {SCHEDULER_NAME}")
    if effects.gate is Gate.ADDED:
        parts.append("held by a gate until it is planned")
    head = f"{class_name} (observe only)" if observe else class_name
    text = f"{head}: {'; '.join(parts) or 'nothing to change'}."
    return text if len(text) <= _MAX else f"{text[: _MAX - 3]}..."


def _worth_telling(sizing: Sizing) -> bool:
    return sizing.changes or sizing.container.role is Role.MAIN


def _container(sizing: Sizing, *, observe: bool) -> str:
    name = sizing.container.name
    if not sizing.requests:
        return f"{name} keeps its own {_kept(sizing)}{_advice(sizing)}"
    got = _amounts({r: sizing.requests[r] for r in COMPUTE if r in sizing.requests})
    how = [sizing.recommendation.provenance, *_saving(sizing)] if sizing.recommendation is not None else []
    if sizing.reason is Reason.EXPLICIT_OVERRIDDEN:
        how.append("replacing the pod's own numbers")
    how += sizing.notes
    how += [_LIMITED[reason] for reason in sorted(sizing.limited_by) if reason in _LIMITED]
    kept = {
        r: sizing.container.requests[r] for r in COMPUTE if r not in sizing.requests and sizing.container.written(r)
    }
    own = f", keeps its own {_amounts(kept)}" if kept else ""
    return f"{name} {'would get' if observe else 'gets'} {got} ({', '.join(how)}){own}"


def _saving(sizing: Sizing) -> list[str]:
    """Said only of a recommendation that is set as it is."""
    found = sizing.recommendation
    if found is None or any(sizing.requests.get(r) != amount for r, amount in found.target.items()):
        return []
    words = saving_words(found.saving_micro_usd_per_hour)
    return [words] if words else []


def _kept(sizing: Sizing) -> str:
    limited = [*sizing.notes, *(_LIMITED[reason] for reason in sorted(sizing.limited_by) if reason in _LIMITED)]
    text = _amounts({r: sizing.container.requests[r] for r in COMPUTE if r in sizing.container.requests})
    return (text or "resources, which are none") + (f" ({', '.join(limited)})" if limited else "")


def _advice(sizing: Sizing) -> str:
    if sizing.reason is Reason.REGRESSION_HALT and sizing.recommendation is not None:
        return f" (not replaced, stepped back: {sizing.recommendation.halt})"
    return f" (advised: {_amounts(sizing.ideal)})" if sizing.ideal else ""


def _amounts(amounts: dict[str, int]) -> str:
    return " and ".join(f"{format_amount(r, amount)} {_UNITS[r]}" for r, amount in amounts.items())


def _capacity_types(effects: Effects) -> list[str]:
    ordered = sorted(effects.capacity, key=lambda term: -term["weight"])
    return [term["preference"]["matchExpressions"][0]["values"][0] for term in ordered]
