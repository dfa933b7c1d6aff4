"""Caps requests: the pod's own bounds, the class, the user's limit, LimitRange, then the bounds of the whole pod."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from stowplan.model.reasons import Reason
from webhook.containers import COMPUTE, Role
from webhook.intent import Keep
from webhook.limit_range import combine
from webhook.node_room import bound_for
from webhook.sizing import Sizing, Terms, main_first, pod_total


def cap_requests(sizings: Sequence[Sizing], terms: Terms) -> None:
    """Bring all requests that stowplan sets within every bound (changes the sizings). The user's requests never move."""
    for sizing in sizings:
        for resource in sizing.requests:
            _cap_by_class(sizing, resource, terms)
            _cap_by_limit(sizing, resource, terms)
            _cap_by_limit_range(sizing, resource, terms)
    _cap_init(sizings, terms)
    for resource in COMPUTE:
        _cap_pod(sizings, resource, terms)
    _cap_by_node(sizings, terms)
    for resource in COMPUTE:
        least = combine(terms.ranges, "Pod", resource).minimum
        if least:
            _raise_to(sizings, resource, least, terms)


def class_bounds(resource: str, terms: Terms) -> tuple[int, int]:
    """Smallest and largest request of a container by class."""
    bounds = terms.workload_class.bounds
    return (bounds.cpu_min, bounds.cpu_max) if resource == "cpu" else (bounds.memory_min, bounds.memory_max)


def _set(sizing: Sizing, resource: str, amount: int, *, low: Reason, high: Reason) -> None:
    before = sizing.requests[resource]
    if amount != before:
        sizing.requests[resource] = amount
        sizing.limited_by.add(low if amount > before else high)


def _cap_by_class(sizing: Sizing, resource: str, terms: Terms) -> None:
    amount = sizing.requests[resource]
    if sizing.container.role is Role.MAIN:  # a bound meant for the application would blow up its sidecars
        amount = max(amount, terms.intent.minimum.get(resource, amount))
        amount = min(amount, terms.intent.maximum.get(resource, amount))
    least, most = class_bounds(resource, terms)
    _set(sizing, resource, min(max(amount, least), most), low=Reason.CLAMPED_MIN, high=Reason.CLAMPED_MAX)


def standing_limit(sizing: Sizing, resource: str, terms: Terms) -> int | None:
    """The limit that stays whatever the request becomes, or None where the limit follows."""
    if Keep.LIMITS in terms.intent.keep:
        return sizing.container.limits.get(resource)
    if terms.guaranteed or sizing.replaces_own:
        return None
    return sizing.container.own_limit(resource)


def _cap_by_limit(sizing: Sizing, resource: str, terms: Terms) -> None:
    limit = standing_limit(sizing, resource, terms)
    if limit is not None:
        amount = min(sizing.requests[resource], limit)
        _set(sizing, resource, amount, low=Reason.CLAMPED_MIN, high=Reason.CLAMPED_MAX)


def _cap_by_limit_range(sizing: Sizing, resource: str, terms: Terms) -> None:
    bounds = combine(terms.ranges, "Container", resource)
    amount = bounds.clamp(sizing.requests[resource])
    limit = standing_limit(sizing, resource, terms)
    if limit is not None:
        if bounds.ratio:
            amount = max(amount, math.ceil(limit / bounds.ratio))
        amount = min(amount, limit)
    _set(sizing, resource, amount, low=Reason.LIMIT_RANGE_CLAMPED, high=Reason.LIMIT_RANGE_CLAMPED)


def _cap_pod(sizings: Sequence[Sizing], resource: str, terms: Terms) -> None:
    pod = combine(terms.ranges, "Pod", resource)
    if terms.policy is not None:
        most = terms.policy.max_cpu_per_pod if resource == "cpu" else terms.policy.max_memory_per_pod
        if most:
            _lower_to(sizings, resource, most, terms, Reason.CLAMPED_MAX)
    if pod.maximum is not None:
        _lower_to(sizings, resource, pod.maximum, terms, Reason.LIMIT_RANGE_CLAMPED)


def _cap_init(sizings: Sequence[Sizing], terms: Terms) -> None:
    """An init container's CPU within what the pod needs anyway: more would reserve CPU for the pod's whole life.

    It runs alone and may use what is idle; memory is not cut, because too little of it kills.
    """
    running = sum(s.request("cpu") for s in sizings if s.container.role is not Role.INIT)
    before = 0
    for sizing in sizings:
        if sizing.container.role is Role.SIDECAR:
            before += sizing.request("cpu")
        elif sizing.container.role is Role.INIT and "cpu" in sizing.requests:
            least = min(class_bounds("cpu", terms)[0], sizing.requests["cpu"])
            amount = min(sizing.requests["cpu"], max(running - before, least))
            _set(sizing, "cpu", amount, low=Reason.CLAMPED_MIN, high=Reason.CLAMPED_MAX)
            _cap_by_limit_range(sizing, "cpu", terms)


def _cap_by_node(sizings: Sequence[Sizing], terms: Terms) -> None:
    """What fits on no node could never be scheduled."""
    asked = {r: pod_total(sizings, _request_of(r)) + terms.overhead.get(r, 0) for r in COMPUTE}
    bound = bound_for(asked["cpu"], asked["memory"], terms.node_shapes)
    for resource, most in zip(COMPUTE, bound or (), strict=False):
        _lower_to(sizings, resource, most - terms.overhead.get(resource, 0), terms, Reason.NODE_LIMITED)


def _request_of(resource: str) -> Callable[[Sizing], int]:
    return lambda sizing: sizing.request(resource)


def _lower_to(sizings: Sequence[Sizing], resource: str, most: int, terms: Terms, why: Reason) -> None:
    for sizing in main_first(sizings):
        excess = pod_total(sizings, lambda s: s.request(resource)) - most
        if excess <= 0:
            return
        if resource in sizing.requests:
            least = max(class_bounds(resource, terms)[0], combine(terms.ranges, "Container", resource).minimum)
            amount = max(sizing.requests[resource] - excess, min(least, sizing.requests[resource]))
            _set(sizing, resource, amount, low=why, high=why)


def _raise_to(sizings: Sequence[Sizing], resource: str, least: int, terms: Terms) -> None:
    for sizing in main_first(sizings):
        missing = least - pod_total(sizings, lambda s: s.request(resource))
        if missing <= 0:
            return
        if resource in sizing.requests:
            amount = combine(terms.ranges, "Container", resource).clamp(sizing.requests[resource] + missing)
            limit = standing_limit(sizing, resource, terms)
            amount = amount if limit is None else min(amount, limit)
            _set(sizing, resource, amount, low=Reason.LIMIT_RANGE_CLAMPED, high=Reason.LIMIT_RANGE_CLAMPED)
