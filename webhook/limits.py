"""Limits of what stowplan sizes: by class, never below the request, within LimitRange. The user's own limit stands.

A limit that LimitRanger put in is never removed: LimitRanger runs again after the webhook and would put it back,
perhaps below the new request.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from stowplan.model.reasons import Reason
from webhook.capping import standing_limit
from webhook.containers import COMPUTE
from webhook.intent import Keep
from webhook.limit_range import Bounds, combine
from webhook.sizing import Sizing, Terms, main_first, pod_total

_MIB: Final = 2**20
NO_LIMIT: Final = -1
"""Marks a limit of the user's that is taken away with the number it belonged to (class without such a limit)."""


def set_limits(sizings: Sequence[Sizing], terms: Terms) -> None:
    """Decide the limits of every sized resource (changes the sizings)."""
    if Keep.LIMITS in terms.intent.keep:
        return
    for sizing in sizings:
        for resource in COMPUTE:
            if resource in sizing.requests:
                _set_limit(sizing, resource, terms)
            elif sizing.reason is not Reason.FIXED_BY_USER:
                _raise_injected(sizing, resource, terms)
    for resource in COMPUTE:
        _cap_pod(sizings, resource, combine(terms.ranges, "Pod", resource))


def _set_limit(sizing: Sizing, resource: str, terms: Terms) -> None:
    request = sizing.requests[resource]
    if terms.guaranteed:
        _put(sizing, resource, request)
        sizing.limited_by.add(Reason.QOS_KEPT)
        return
    if standing_limit(sizing, resource, terms) is not None:
        return
    limit = _by_class(sizing, resource, terms)
    if limit is None:
        if sizing.replaces_own and resource in sizing.container.limits:
            sizing.limits[resource] = NO_LIMIT
        return
    bounds = combine(terms.ranges, "Container", resource)
    capped = max(_capped(limit, request, bounds), request)
    if capped < limit:
        sizing.limited_by.add(Reason.LIMIT_RANGE_CLAMPED)
    _put(sizing, resource, capped)


def _by_class(sizing: Sizing, resource: str, terms: Terms) -> int | None:
    limits, request = terms.workload_class.limits, sizing.requests[resource]
    percent = limits.cpu_percent if resource == "cpu" else limits.memory_percent
    if percent is not None:
        exact = -(-request * percent // 100)
        return exact if resource == "cpu" or percent == 100 or exact < _MIB else -(-exact // _MIB) * _MIB  # noqa: PLR2004 - percent
    bounds = combine(terms.ranges, "Container", resource)
    pod = combine(terms.ranges, "Pod", resource)
    injected = ("limit", resource) in sizing.container.injected
    if injected or bounds.needs_limit or pod.needs_limit or resource in terms.limits_counted:
        there = sizing.container.limits.get(resource) if injected else bounds.default
        return max(there or 0, request)
    return None


def _capped(limit: int, request: int, bounds: Bounds) -> int:
    if bounds.ratio is not None:
        limit = min(limit, math.floor(request * bounds.ratio))
    return bounds.clamp(limit)


def _raise_injected(sizing: Sizing, resource: str, terms: Terms) -> None:
    """LimitRanger's default below the user's own request would get the pod refused: the user's number counts."""
    own, limit = sizing.container.own_request(resource), sizing.container.limits.get(resource)
    if own is None or limit is None or ("limit", resource) not in sizing.container.injected or own <= limit:
        return
    if own <= combine(terms.ranges, "Container", resource).clamp(own):
        sizing.limits[resource] = own
        sizing.limited_by.add(Reason.LIMIT_RANGE_CLAMPED)


def _put(sizing: Sizing, resource: str, limit: int) -> None:
    if sizing.container.limits.get(resource) != limit:
        sizing.limits[resource] = limit


def _cap_pod(sizings: Sequence[Sizing], resource: str, pod: Bounds) -> None:
    """Lower our limits, down to their requests, until the whole pod's maximum and ratio hold."""
    bounds = [pod.maximum] if pod.maximum is not None else []
    if pod.ratio is not None:
        bounds.append(math.floor(pod_total(sizings, lambda s: s.request(resource)) * pod.ratio))
    if not bounds:
        return
    for sizing in main_first(sizings):
        excess = pod_total(sizings, lambda s: max(s.limit(resource) or 0, 0)) - min(bounds)
        if excess <= 0:
            return
        if sizing.limits.get(resource, NO_LIMIT) != NO_LIMIT:
            sizing.limits[resource] = max(sizing.limits[resource] - excess, sizing.request(resource))
            sizing.limited_by.add(Reason.LIMIT_RANGE_CLAMPED)
