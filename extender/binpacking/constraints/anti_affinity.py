"""Required anti-affinity between pods that are placed together; that with residents makes bins ineligible."""

from __future__ import annotations

from extender.binpacking.constraints.constraint import by_domain
from extender.binpacking.variables import PackingVariables


class RequiredAntiAffinity:
    """Forbids two items in one domain if either repels the other, and a second pod of an item that repels itself."""

    def add(self, variables: PackingVariables) -> None:
        """One inequality per pair of items and domain."""
        pairs = {
            (key, min(item, other), max(item, other))
            for item, others in variables.instance.separated.items()
            for key, other in others
        }
        for key, item, other in sorted(pairs):
            for nodes in by_domain(variables, key, (item, other)).values():
                if item == other:
                    variables.model.add(variables.total((item,), nodes) <= 1)
                else:
                    variables.model.add(variables.present(item, nodes) + variables.present(other, nodes) <= 1)
