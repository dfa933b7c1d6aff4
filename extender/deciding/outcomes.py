"""Outcomes of a filter or prioritize call: a closed enum that labels metrics and explanations."""

from enum import StrEnum


class Outcome(StrEnum):
    """What decided the answer. Only the first two change what the scheduler would have done."""

    PLANNED = "planned"
    """Nodes that the plan holds slots on for this signature."""
    GREEDY = "greedy"
    """No slot was left, offered and fitting: the best of the greedy walk."""

    OFF = "off"
    """The channel is switched off."""
    NOT_SYNCED = "not_synced"
    """Nodes and pods have not been read yet."""
    LAGGING = "lagging"
    """The cluster's mirror is behind: the pod is older than the allowed lag and not in it, or the API server is silent."""
    UNKNOWN_POD = "unknown_pod"
    """The pod in the call could not be read."""
    UNPLANNABLE = "unplannable"
    """The pod has needs that its signature does not carry (volumes, claims, groups)."""
    NOMINATED = "nominated"
    """The pod is nominated to a node already (preemption, or somebody's plan)."""
    SINGLE = "single"
    """Fewer than two nodes were offered: nothing to choose."""
    RETRIED = "retried"
    """The pod was answered for moments ago, so a node we named did not work out: more is offered."""
    NO_FIT = "no_fit"
    """By our books the pod fits on none of the nodes offered; the scheduler knows better."""
    ERROR = "error"
    """A fault of ours; the log has it."""


NARROWING = frozenset({Outcome.PLANNED, Outcome.GREEDY})
"""Outcomes with which we named nodes."""
