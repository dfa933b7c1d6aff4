"""What is expected of the nodes and of the pods that wait, when a plan is made."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from extender.lifetimes.batch_size import BatchSize
from extender.lifetimes.kin import path_of
from extender.lifetimes.node_curves import Curve, NodeCurves
from extender.lifetimes.standing import Floats
from extender.lifetimes.survival import BINS, Expectations
from stowplan.model.pod import PodSignature


@dataclass(frozen=True, slots=True)
class Outlook:
    """As of the last renewal; the curves with what was placed since."""

    rows: Mapping[str, int]
    """Node -> row of the curves; nodes that are not named are empty."""
    curves: NodeCurves
    expectations: Expectations

    def gone(self, nodes: Sequence[str]) -> Floats:
        """The chance that all pods of each node have left, by bin of the time ahead."""
        found = np.ones((len(nodes), BINS))
        known = [(position, self.rows[name]) for position, name in enumerate(nodes) if name in self.rows]
        for position, row in known:
            if row < len(self.curves.gone):
                found[position] = self.curves.gone[row]
        return found

    def survival(self, signature: PodSignature, together: int) -> Floats:
        """The chance of a pod that comes now to stand in each bin of the time ahead.

        By its owner or the owner's family where anything is known of them, else by how many of its owner's pods come together.
        """
        path = path_of(signature, "")
        sized = BatchSize.of(together).into(path)
        owners = [path[:level] for level in range(len(path), 1, -1)] if signature.owner_key else []
        known = next((one for one in (sized, *owners) if self.expectations.knows(one)), sized)
        return self.expectations.curve(known)

    def siblings(self, signature: PodSignature, nodes: Mapping[str, int]) -> dict[int, Curve]:
        """The owner's pods that stand: survival of the longest, by the number of its node."""
        if not signature.owner_key:
            return {}
        by_row = self.curves.siblings(owner_of(signature))
        return (
            {nodes[name]: by_row[row] for name, row in self.rows.items() if row in by_row and name in nodes}
            if by_row
            else {}
        )


def owner_of(signature: PodSignature) -> Hashable:
    """The last key of the paths of an owner's pods."""
    return path_of(signature, "")[-1]
