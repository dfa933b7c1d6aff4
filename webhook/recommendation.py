"""What a container should get. The protocol is the seam for learned sizes (`webhook.learned`); this module knows the size table only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stowplan.model.reasons import Reason
from stowplan.model.sizes import named_size
from stowplan.model.workload_class import Shape, Size, WorkloadClass
from webhook.containers import COMPUTE, Container, Role
from webhook.workload import Workload


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Target per resource (`cpu` in millicores, `memory` in bytes); a resource left out is unknown."""

    target: Mapping[str, int]
    reason: Reason
    provenance: str
    """How it came about, for people: `cold start, size m/general`."""
    inputs: Mapping[str, str | int] = field(default_factory=dict)
    """For the decision record."""
    learned: Mapping[str, Any] = field(default_factory=dict)
    """For the decision record: where a learned size is from."""
    risk: Mapping[str, Any] = field(default_factory=dict)
    """For the decision record: declared and achieved, of the workload under its class."""
    saving_micro_usd_per_hour: int = 0
    """Of a replica against its current request, if the target is set as it is."""
    halt: str = ""
    """Not empty while the workload is stepped back: what got worse. Then the user's own numbers stand."""


class Recommender(Protocol):
    """Knows what a container should get, from memory: called on the request path, so no I/O."""

    def recommend(
        self, workload: Workload, container: Container, workload_class: WorkloadClass
    ) -> Recommendation | None:
        """The recommendation for a container, or None where nothing better than the user's numbers is known."""


class ColdStartRecommender:
    """Knows no usage: the class's cold-start size for the main container, `xs` for the others where they have no numbers.

    A side container with numbers of its own gets no recommendation: a table knows less about a proxy than whoever wrote them.
    """

    def recommend(
        self,
        workload: Workload,  # noqa: ARG002 - the protocol's: learned sizes are kept by workload
        container: Container,
        workload_class: WorkloadClass,
    ) -> Recommendation | None:
        """See `Recommender`."""
        if container.role is Role.INIT:
            return None
        if container.role is Role.MAIN:
            return start_of(container, workload_class)
        unwritten = tuple(r for r in COMPUTE if not container.written(r))
        return start_of(container, workload_class, unwritten) if unwritten else None


def start_of(
    container: Container, workload_class: WorkloadClass, resources: tuple[str, ...] = COMPUTE
) -> Recommendation:
    """The size by the table: the class's for the main container, `xs` for all others. The same for every pod of a workload."""
    start = workload_class.cold_start
    if container.role is Role.MAIN:
        return from_table(start.size, start.shape, Reason.COLD_START, "cold start", resources)
    return from_table(Size.XS, Shape.GENERAL, Reason.COLD_START, "side container", resources)


def from_table(
    size: Size, shape: Shape, reason: Reason, how: str, resources: tuple[str, ...] = COMPUTE
) -> Recommendation:
    """A named size as a recommendation; `auto` counts as `m`."""
    size = Size.M if size is Size.AUTO else size
    amounts = dict(zip(COMPUTE, named_size(size, shape), strict=True))
    target = {r: amounts[r] for r in resources}
    text = f"{how}, size {size}/{shape}"
    return Recommendation(target, reason, text, {"size": str(size), "shape": str(shape)})
