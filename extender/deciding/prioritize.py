"""The prioritize verb: integer scores for the best few nodes only.

The scheduler adds Score x weight x 10 to the totals of the nodes named and leaves the others as they are, so a sparse answer is
enough, and encoding and decoding thousands of zeros is saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from extender.deciding.candidates import Choice, Option, View, greedy, planned
from extender.deciding.narrowing import DEFAULT_BREADTH, Breadth
from extender.deciding.outcomes import Outcome
from stowplan.model.pod import Pod

MAX_SCORE: Final = 10
"""MaxExtenderPriority of kube-scheduler."""
GREEDY_SCORE: Final = 8
"""The best node without a slot scores below a planned one: 8 x 13 x 10 = 1040 of 1200 can be outvoted, 1300 cannot."""
GREEDY_STEP: Final = 2
"""Between greedy nodes: 2 x 13 x 10 = 260 points, more than two plugins of weight 1 can differ by."""


class Prioritized(Choice, frozen=True):
    """The answer of a prioritize call: node name and score, 1 to 10, best first. Nothing on doubt."""

    scores: tuple[tuple[str, int], ...]
    outcome: Outcome


def prioritize(
    pod: Pod, names: Sequence[str], view: View, breadth: Breadth = DEFAULT_BREADTH, *, retried: bool = False
) -> Prioritized:
    """Score the best few of the offered names; arguments as of `extender.deciding.narrowing.narrow`."""
    if pod.signature.unplannable:
        return Prioritized((), Outcome.UNPLANNABLE)
    if retried:
        return Prioritized((), Outcome.RETRIED)
    slots = planned(pod, names, view, breadth.scores)
    named = {option.node for option in slots.options}
    others = greedy(pod, names, view, breadth.candidates, breadth.scores, besides=named)
    options = (*slots.options, *others)
    if not options:
        return Prioritized((), Outcome.NO_FIT, slots=slots)
    scores = _scored(slots.options, others)[: breadth.scores]
    return Prioritized(scores, Outcome.PLANNED if slots.options else Outcome.GREEDY, options=options, slots=slots)


def _scored(first: Sequence[Option], others: Sequence[Option]) -> tuple[tuple[str, int], ...]:
    """Planned nodes from 10 down by one, the others below them by steps, as long as a score is left."""
    scores = [(option.node, MAX_SCORE - place) for place, option in enumerate(first) if place < MAX_SCORE]
    best = min(GREEDY_SCORE, scores[-1][1] - 1) if scores else GREEDY_SCORE
    rest = ((option.node, best - GREEDY_STEP * place) for place, option in enumerate(others))
    return (*scores, *((node, score) for node, score in rest if score > 0))
