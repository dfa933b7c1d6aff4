"""Where a run takes place: a fresh control plane of its own, or a namespace of an existing cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from demo.cluster import DemoNode
from stowplan.kube.connection import Connection


class Variant(StrEnum):
    """What sizes and places the pods."""

    STOCK = "stock"
    """The default scheduler as it is delivered: NodeResourcesFit scores LeastAllocated, which spreads."""
    MOST_ALLOCATED = "most-allocated"
    """The default scheduler with the one setting that packs, NodeResourcesFit MostAllocated: what anybody can have without us."""
    RIGHT_SIZED = "right-sized"
    """The webhook applies learned sizes; the default scheduler, as it is delivered, places the pods: right-sizing alone."""
    PACKED = "packed"
    """stowplan-scheduler places the pods; sizes are the user's own: packing alone."""
    STOWPLAN = "stowplan"
    """Learned sizes, placed by stowplan-scheduler: both together."""

    @property
    def learns(self) -> bool:
        """Whether the pods agree to learned sizes."""
        return self in (Variant.RIGHT_SIZED, Variant.STOWPLAN)

    @property
    def opts_in(self) -> bool:
        """Whether anything of stowplan takes part."""
        return self.learns or self.packs

    @property
    def packs(self) -> bool:
        """Whether the pods are placed by stowplan-scheduler."""
        return self in (Variant.PACKED, Variant.STOWPLAN)


@dataclass(frozen=True, slots=True)
class Environment:
    """A cluster that is ready for a run."""

    variant: Variant
    connection: Connection
    nodes: Sequence[DemoNode]
    """Where the pods may go."""
    namespace: str
    """To be created by the run."""
    run: str
    """Value of the label on everything the run creates."""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    """Confines the pods to nodes of the run; empty for all nodes."""
    webhook_pages: tuple[str, ...] = ()
    """Metrics pages of the webhook's replicas: URLs, or paths below the API server."""
    extender_pages: tuple[str, ...] = ()
    """The same for the extender."""
    extender_url: str | None = None
    """Of the extender's own API, for its explanations."""

    @property
    def opted_in(self) -> bool:
        """Whether the namespace asks for stowplan."""
        return self.variant.opts_in
