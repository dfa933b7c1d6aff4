"""Latency headroom: load of a node above what its pods' classes allow, piecewise linear and convex (`load_penalty`)."""

from __future__ import annotations

from extender.binpacking.bins import Bin
from extender.binpacking.cp_sat import cp_model
from extender.binpacking.feasibility import Packing
from extender.binpacking.instance import Instance
from extender.binpacking.load_penalty import PERMILLE, STEEP, knee, load_penalty
from extender.binpacking.variables import Expression, PackingVariables

Weights = dict[str, tuple[int, int]]
"""Class name -> (bound in permille of a node's CPU, latency weight), for classes to which load matters."""


def load_weights(instance: Instance) -> Weights:
    """The bounds and weights of an instance's classes."""
    return {
        name: (c.scheduling.max_node_load_percent * 10, c.scheduling.weights.latency)
        for name, c in instance.classes.items()
        if c.scheduling.weights.latency > 0
    }


def load_permille(place: Bin, added_cpu: int) -> int:
    """Load of a node's CPU with some millicores more, in permille, rounded up."""
    capacity = place.node.allocatable.get("cpu", 0)
    return -(-(place.busy_cpu + added_cpu) * PERMILLE // capacity) if capacity > 0 else 0


def resident_classes(place: Bin) -> set[str]:
    """Class names of the pods that stand on a node."""
    return {signature.workload_class.split(".", 1)[0] for signature in place.info.residents}


class Load:
    """The sum over nodes and the classes on them."""

    name = "load"

    def concerns(self, instance: Instance, item: int) -> bool:
        """Items of a class that weighs latency; that others' load harms such pods is seen by `total` and the model."""
        own = instance.classes.get(instance.items[item].class_name)
        return own is not None and own.scheduling.weights.latency > 0

    def marginal(self, packing: Packing, item: int, node: int) -> int:
        """What the pod adds to the penalty of its own class."""
        entry = packing.instance.items[item]
        own = packing.instance.classes[entry.class_name].scheduling
        bound, weight = own.max_node_load_percent * 10, own.weights.latency
        place = packing.instance.bins[node]
        added = _added(packing, node)
        after = load_permille(place, added + entry.cpu)
        if after <= bound:
            return 0
        return load_penalty(after, bound, weight) - load_penalty(load_permille(place, added), bound, weight)

    def total(self, packing: Packing) -> int:
        """What the placements add to the penalties of the classes on their nodes."""
        weights = load_weights(packing.instance)
        return sum(_on_node(packing, node, weights) for node, items in packing.on_bin.items() if items)

    def model(self, variables: PackingVariables) -> list[Expression]:
        """Two pieces per class and node."""
        weights = load_weights(variables.instance)
        return [term for node in variables.nodes() for term in _pieces(variables, node, weights)]


def _added(packing: Packing, node: int) -> int:
    items = packing.instance.items
    return sum(packing.slots[item][node] * items[item].cpu for item in packing.on_bin.get(node, ()))


def _on_node(packing: Packing, node: int, weights: Weights) -> int:
    place = packing.instance.bins[node]
    before, after = load_permille(place, 0), load_permille(place, _added(packing, node))
    there = resident_classes(place)
    total = 0
    for name in there | {packing.instance.items[item].class_name for item in packing.on_bin[node]}:
        if name in weights:
            bound, weight = weights[name]
            total += load_penalty(after, bound, weight)
            total -= load_penalty(before, bound, weight) if name in there else 0
    return total


def _pieces(variables: PackingVariables, node: int, weights: Weights) -> list[Expression]:
    instance, model = variables.instance, variables.model
    place = instance.bins[node]
    capacity = place.node.allocatable.get("cpu", 0)
    asking = {(item, node): instance.items[item].cpu for item in variables.items_on(node)}
    residents = resident_classes(place)
    classes = {instance.items[item].class_name for item, _ in asking} | residents
    if capacity <= 0 or not classes & weights.keys():
        return []
    most = sum(cpu * variables.most(item, node) for (item, _), cpu in asking.items())
    fullest = max(PERMILLE, load_permille(place, 0), load_permille(place, min(most, place.free.get("cpu", 0))))
    load = model.new_int_var(0, fullest, f"load_{node}")
    model.add(load * capacity >= PERMILLE * (place.busy_cpu + variables.weighted(asking)))
    terms: list[Expression] = []
    for name in sorted(classes & weights.keys()):
        bound, weight = weights[name]
        here: Expression = (
            cp_model.LinearExpr.constant(1) if name in residents else _class_present(variables, node, name)
        )
        for threshold, slope in ((bound, weight), (knee(bound), weight * STEEP)):
            over = model.new_int_var(0, fullest, f"over_{node}_{name}_{threshold}")
            model.add(over >= load - threshold - fullest * (1 - here))
            terms.append(slope * over)
    return terms


def _class_present(variables: PackingVariables, node: int, name: str) -> cp_model.IntVar:
    present = variables.model.new_bool_var(f"class_{name}_{node}")
    for item in variables.items_on(node):
        if variables.instance.items[item].class_name == name:
            variables.model.add(variables.count(item, node) <= variables.most(item, node) * present)
    return present
