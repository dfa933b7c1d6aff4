"""Finds similar containers among many: an index by the features that say most, so that a new container is not compared with all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from recommender.remembering.learned import Learned
from recommender.sizing.cold_start import Peer
from recommender.workloads.fleet import Fleet
from stowplan.model.workload_class import WorkloadClass

INDEXED: Final = ("image", "command", "app", "container")
"""Two containers that agree on none of these are not similar enough (`recommender.sizing.cold_start`)."""
MOST: Final = 100
"""Peers looked at by feature: their estimate does not get better by more."""

_Known = tuple[Mapping[str, str], Learned]


class Peers:
    """Containers with enough history of their own, as they are when this is made.

    Args:
        fleet: all containers; of peers with a feature in common the first `MOST` by workload are taken.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._index: dict[tuple[str, str], list[_Known]] = {}
        for key in sorted(fleet.workloads):
            for row in fleet.workloads[key].rows.values():
                learned = fleet.at(row)
                if learned.slow.features and learned.slow.targets and learned.days:
                    self._add(learned)

    def _add(self, learned: Learned) -> None:
        features = learned.slow.features
        for name in INDEXED:
            if name in features:
                members = self._index.setdefault((name, features[name]), [])
                if len(members) < MOST:
                    members.append((features, learned))

    def of(self, features: Mapping[str, str], wclass: WorkloadClass, but: Learned) -> Sequence[Peer]:
        """Possible peers under a class, but for one (the container itself)."""
        found: dict[int, Peer] = {}
        for name in INDEXED:
            for theirs, learned in self._index.get((name, features.get(name, "")), ()):
                target = learned.slow.targets.get(wclass.name)
                enough = learned.days * 24 >= wclass.cpu.min_history_hours
                alike = learned.slow.init == but.slow.init  # a migration has the image of its app, and other needs
                if enough and alike and target is not None and learned is not but:
                    found[id(learned)] = Peer(theirs, target.cpu, target.memory)
        return list(found.values())
