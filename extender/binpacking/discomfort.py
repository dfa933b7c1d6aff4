"""The soft terms of a placement together: what the solver's third stage minimises, and what the greedy packer compares by."""

from __future__ import annotations

from extender.binpacking.feasibility import Packing
from extender.binpacking.instance import Instance
from extender.binpacking.soft import SOFT_TERMS
from extender.binpacking.soft.term import SoftTerm


def discomfort(packing: Packing) -> int:
    """The soft terms of a packing. Only differences between packings of one instance mean anything."""
    return sum(term.total(packing) for term in SOFT_TERMS)


def terms_of(packing: Packing) -> dict[str, int]:
    """The same by the terms' names."""
    return {term.name: term.total(packing) for term in SOFT_TERMS}


def concerning(instance: Instance) -> list[list[SoftTerm]]:
    """Item -> the terms that can tell one bin from another for it."""
    return [[term for term in SOFT_TERMS if term.concerns(instance, item)] for item in range(len(instance.items))]
