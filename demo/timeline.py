"""What the nodes cost over time: a step function of the non-empty nodes, driven by pod events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from demo.cluster import DemoNode

MICRO_USD = 1_000_000
_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Point:
    """The cluster from this moment until the next point."""

    seconds: float
    """On the clock of the run."""
    nodes: int
    """Nodes with at least one pod."""
    micro_usd_per_hour: int
    """Price of these nodes."""
    pods: int
    cpu_millicores: int
    """Requested by the pods on nodes."""
    memory_bytes: int
    """Requested by the pods on nodes."""


@dataclass(frozen=True, slots=True)
class Resident:
    """A pod on a node, with its requests."""

    node: str
    cpu_millicores: int
    memory_bytes: int


class Timeline:
    """Follows pods onto nodes and off again. Times must not go backwards."""

    def __init__(self, nodes: Mapping[str, DemoNode]) -> None:
        self._nodes = nodes
        self._residents: dict[str, Resident] = {}
        self._on_node: dict[str, int] = {}
        self._points = [Point(0.0, 0, 0, 0, 0, 0)]

    @property
    def points(self) -> Sequence[Point]:
        """All points in order of time."""
        return self._points

    @property
    def residents(self) -> Mapping[str, Resident]:
        """The pods on nodes now, by uid."""
        return self._residents

    def arrive(self, uid: str, resident: Resident, seconds: float) -> None:
        """A pod was bound to a node; a second call for one uid changes nothing."""
        if uid in self._residents:
            return
        self._residents[uid] = resident
        count = self._on_node.get(resident.node, 0)
        self._on_node[resident.node] = count + 1
        self._step(resident, seconds, sign=1, node_changed=count == 0)

    def leave(self, uid: str, seconds: float) -> None:
        """A pod finished or is gone; an unknown uid changes nothing."""
        resident = self._residents.pop(uid, None)
        if resident is None:
            return
        self._on_node[resident.node] -= 1
        self._step(resident, seconds, sign=-1, node_changed=self._on_node[resident.node] == 0)

    def _step(self, resident: Resident, seconds: float, *, sign: int, node_changed: bool) -> None:
        last = self._points[-1]
        node = self._nodes.get(resident.node)  # None: a node that joined after the run began
        price = node.price_micro_usd_per_hour if node is not None and node_changed else 0
        self._points.append(
            Point(
                seconds,
                last.nodes + (sign if node_changed else 0),
                last.micro_usd_per_hour + sign * price,
                last.pods + sign,
                last.cpu_millicores + sign * resident.cpu_millicores,
                last.memory_bytes + sign * resident.memory_bytes,
            )
        )


def at(points: Sequence[Point], seconds: float) -> Point:
    """The point in force at a moment (the last one not after it)."""
    found = points[0]
    for point in points:
        if point.seconds > seconds:
            break
        found = point
    return found


def cut(points: Sequence[Point], start: float, end: float) -> list[tuple[Point, float]]:
    """The points in force between two moments, each with the seconds it lasted there."""
    pieces = []
    for index, point in enumerate(points):
        until = points[index + 1].seconds if index + 1 < len(points) else end
        lasted = min(until, end) - max(point.seconds, start)
        if lasted > 0:
            pieces.append((point, lasted))
    return pieces


@dataclass(frozen=True, slots=True)
class Cost:
    """Means over a window."""

    usd_per_hour: float
    """Time-weighted mean price of the non-empty nodes."""
    nodes: float
    """Time-weighted mean number of non-empty nodes."""
    peak_nodes: int
    lower_bound_usd_per_hour: float
    """Time-weighted mean of `lower_bound_usd_per_hour`."""
    cpu_millicores: float
    """Time-weighted mean of what was requested."""


def cost_between(points: Sequence[Point], start: float, end: float, nodes: Sequence[DemoNode]) -> Cost:
    """The cost of the window from ``start`` to ``end``; all zero for an empty one."""
    pieces = cut(points, start, end)
    seconds = sum(lasted for _, lasted in pieces)
    if not seconds:
        return Cost(0.0, 0.0, 0, 0.0, 0.0)
    return Cost(
        usd_per_hour=sum(point.micro_usd_per_hour * lasted for point, lasted in pieces) / MICRO_USD / seconds,
        nodes=sum(point.nodes * lasted for point, lasted in pieces) / seconds,
        peak_nodes=max(point.nodes for point, _ in pieces),
        lower_bound_usd_per_hour=sum(
            lower_bound_usd_per_hour(nodes, point.cpu_millicores, point.memory_bytes) * lasted
            for point, lasted in pieces
        )
        / seconds,
        cpu_millicores=sum(point.cpu_millicores * lasted for point, lasted in pieces) / seconds,
    )


def lower_bound_usd_per_hour(nodes: Sequence[DemoNode], cpu_millicores: int, memory_bytes: int) -> float:
    """A price that no packing onto these nodes can go below.

    The fractional knapsack bound, taken for CPU alone and for memory alone: fill the nodes that are cheapest per
    unit first and pay for the last one in part. The larger of the two holds. It is not tight: whole nodes,
    whole pods and both resources at once cost more.
    """
    by_cpu = _fractional([(node.price_micro_usd_per_hour, node.cpu_millicores) for node in nodes], cpu_millicores)
    by_memory = _fractional([(node.price_micro_usd_per_hour, node.memory_bytes) for node in nodes], memory_bytes)
    return max(by_cpu, by_memory) / MICRO_USD


def _fractional(offers: Sequence[tuple[int, int]], demand: int) -> float:
    cost = 0.0
    for price, amount in sorted(offers, key=lambda offer: offer[0] / offer[1]):
        taken = min(amount, demand)
        cost += price * taken / amount
        demand -= taken
        if demand <= 0:
            break
    return cost


def hours(seconds: float) -> float:
    """Seconds as hours."""
    return seconds / _SECONDS_PER_HOUR
