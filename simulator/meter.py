"""What a simulation costs, integrated over its time."""

from __future__ import annotations

from dataclasses import dataclass, field

SECONDS_PER_HOUR = 3600


@dataclass(slots=True)
class Meter:
    """Sums over the measured window of value times seconds; all integers."""

    begin_s: int
    end_s: int
    now_s: int = 0
    price_seconds: int = 0
    """Micro-dollars an hour of nodes in use, times seconds."""
    used_seconds: dict[str, int] = field(default_factory=dict)
    capacity_seconds: dict[str, int] = field(default_factory=dict)
    peak_nodes: int = 0

    def advance(self, until_s: int, price: int, used: dict[str, int], capacity: dict[str, int], nodes: int) -> None:
        """The state given has lasted from the last call until a time."""
        seconds = min(until_s, self.end_s) - max(self.now_s, self.begin_s)
        self.now_s = max(self.now_s, until_s)
        if seconds <= 0:
            return
        self.peak_nodes = max(self.peak_nodes, nodes)
        self.price_seconds += price * seconds
        for name, amount in used.items():
            self.used_seconds[name] = self.used_seconds.get(name, 0) + amount * seconds
            self.capacity_seconds[name] = self.capacity_seconds.get(name, 0) + capacity[name] * seconds

    @property
    def seconds(self) -> int:
        """Length of the window."""
        return max(0, self.end_s - self.begin_s)
