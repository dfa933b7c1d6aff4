"""Shares of a device: a pod has to fit on one of a node's devices, whatever the node has left in all."""

from __future__ import annotations

from extender.binpacking.cp_sat import cp_model
from extender.binpacking.variables import PackingVariables
from stowplan.model.devices import SHARED, devices_of, left_on_devices


class DeviceShares:
    """Forbids pods that no assignment to single devices takes, beside those that stand, as these are taken to be packed."""

    def add(self, variables: PackingVariables) -> None:
        """Counts by device, for the bins that have any and the items that ask for a share."""
        for resource in SHARED:
            asking = [n for n, item in enumerate(variables.instance.items) if resource in item.requests]
            for node in variables.nodes() if asking else ():
                self._divide(variables, resource, node, [item for item in asking if variables.most(item, node)])

    @staticmethod
    def _divide(variables: PackingVariables, resource: str, node: int, items: list[int]) -> None:
        place = variables.instance.bins[node]
        count, each = devices_of(place.node.allocatable, resource)
        standing = [
            dict(signature.requests).get(resource, 0)
            for signature, pods in place.info.residents.items()
            for _ in range(pods)
        ]
        left = left_on_devices([share for share in standing if share], count, each) or []
        on: list[list[cp_model.IntVar]] = []
        for item in items:
            share = variables.instance.items[item].requests[resource]
            most = variables.most(item, node)
            mine = [
                variables.model.new_int_var(0, min(most, free // share), f"share_{item}_{node}_{index}")
                for index, free in enumerate(left)
            ]
            variables.model.add(variables.count(item, node) == sum(mine))
            on.append(mine)
        sizes = [variables.instance.items[item].requests[resource] for item in items]
        for index, free in enumerate(left):
            load = [size * mine[index] for size, mine in zip(sizes, on, strict=True)]
            if load:
                variables.model.add(sum(load) <= free)
