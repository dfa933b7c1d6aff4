"""The filter verb: narrow the nodes offered to the planned one, or the few best. Never to none.

An answer with one node lets the scheduler skip scoring; in return preferences that only scores know (preferred affinity, soft
spread, images) are not weighed, so pods that have such preferences are left a choice of several nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from extender.deciding.candidates import Choice, Option, View, greedy, planned
from extender.deciding.outcomes import Outcome
from stowplan.model.pod import Pod, PodSignature


@dataclass(frozen=True, slots=True)
class Breadth:
    """How many nodes are named and looked at."""

    offers: int = 3
    """Named for a pod with soft preferences; every other pod gets one."""
    candidates: int = 16
    """Fitting nodes that the greedy walk compares."""
    scores: int = 5
    """Scored by prioritize."""


DEFAULT_BREADTH = Breadth()


class Narrowed(Choice, frozen=True):
    """The answer of a filter call: names out of those offered, in their order."""

    names: Sequence[str]
    outcome: Outcome


def narrow(
    pod: Pod, names: Sequence[str], view: View, breadth: Breadth = DEFAULT_BREADTH, *, retried: bool = False
) -> Narrowed:
    """Decide which of the offered names to keep.

    Args:
        pod: the pod to place.
        names: nodes that passed the scheduler's own filters.
        view: the cluster, the plan and what is held.
        breadth: how many nodes are named and compared.
        retried: the pod was answered for moments ago.
    """
    doubt = _doubt(pod, names, retried=retried)
    if doubt is not None:
        return Narrowed(names, doubt)
    wanted = breadth.offers if has_soft_preferences(pod.signature) else 1
    slots = planned(pod, names, view, wanted)
    if slots.options:
        return Narrowed(
            _kept(names, _equal_in_cost(slots.options)), Outcome.PLANNED, options=slots.options, slots=slots
        )
    options = tuple(greedy(pod, names, view, breadth.candidates, wanted))
    if not options:
        return Narrowed(names, Outcome.NO_FIT, slots=slots)
    return Narrowed(_kept(names, _equal_in_cost(options)[:wanted]), Outcome.GREEDY, options=options, slots=slots)


def _doubt(pod: Pod, names: Sequence[str], *, retried: bool) -> Outcome | None:
    if len(names) < 2:  # noqa: PLR2004 - a choice needs two
        return Outcome.SINGLE
    if pod.signature.unplannable:
        return Outcome.UNPLANNABLE
    if pod.nominated_node:
        return Outcome.NOMINATED
    return Outcome.RETRIED if retried else None


def has_soft_preferences(signature: PodSignature) -> bool:
    """Whether only the scheduler's scores can tell which of two feasible nodes the pod prefers."""
    soft_spread = any(not constraint.hard for constraint in signature.spread)
    return soft_spread or bool(signature.preferred_nodes or signature.preferred_affinity)


def _equal_in_cost(options: Sequence[Option]) -> Sequence[Option]:
    """Those among which the scheduler's scores may choose at no cost.

    A soft preference must not open a node: where the best is in use anyway, only nodes in use are named beside it. Where a node has to be
    opened, only those of the same price are (left to itself the scheduler would take the emptiest, that is the largest and dearest).
    """
    best = options[0]
    if best.occupied:
        return [option for option in options if option.occupied]
    price = best.price_micro_usd_per_hour
    return [option for option in options if not option.occupied and option.price_micro_usd_per_hour == price]


def _kept(names: Sequence[str], options: Sequence[Option]) -> list[str]:
    chosen = {option.node for option in options}
    return [options[0].node] if len(chosen) == 1 else [name for name in names if name in chosen]
