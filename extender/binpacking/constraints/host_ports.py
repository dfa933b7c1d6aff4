"""Host ports: a node has each of them once."""

from __future__ import annotations

from extender.binpacking.variables import PackingVariables


class HostPorts:
    """Forbids two pods with conflicting host ports on one bin. Ports of pods that stand there already make a bin ineligible."""

    def add(self, variables: PackingVariables) -> None:
        """At most one pod of an item per bin, and of two conflicting items at most one of either."""
        conflicts = variables.instance.port_conflicts
        for item, others in sorted(conflicts.items()):
            for node in variables.candidates.bins[item]:
                variables.model.add(variables.count(item, node) <= 1)
                for other in sorted(others):
                    if other > item and variables.most(other, node):
                        variables.model.add(variables.total((item, other), (node,)) <= 1)
