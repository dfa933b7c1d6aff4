"""Placement policies: one class a file, chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from simulator.policies.dot_product import DotProduct
from simulator.policies.first_fit_decreasing import FirstFitDecreasing
from simulator.policies.fragmentation_gradient_descent import FragmentationGradientDescent
from simulator.policies.least_allocated import LeastAllocated
from simulator.policies.most_allocated import MostAllocated
from simulator.policies.policy import Policy
from simulator.policies.random_fit import RandomFit
from simulator.policies.stowplan import Stowplan
from simulator.policies.stowplan_batches import StowplanBatches
from simulator.policies.stowplan_moves import StowplanWithMoves
from simulator.policies.stowplan_true_lifetimes import StowplanTrueLifetimes

__all__ = ["DEFAULT_POLICIES", "POLICIES", "Policy", "policy_named"]

POLICIES: Final[Mapping[str, Callable[[], Policy]]] = MappingProxyType(
    {
        "stowplan": Stowplan,
        "stowplan-batches": StowplanBatches,
        "stowplan-moves": StowplanWithMoves,
        "stowplan-true-lifetimes": StowplanTrueLifetimes,
        "stowplan-batches-true-lifetimes": lambda: StowplanTrueLifetimes(together=True),
        "least-allocated": LeastAllocated,
        "most-allocated": MostAllocated,
        "first-fit-decreasing": FirstFitDecreasing,
        "random": RandomFit,
        "dot-product": DotProduct,
        "fgd": FragmentationGradientDescent,
    }
)


DEFAULT_POLICIES: Final = (
    "stowplan", "least-allocated", "most-allocated", "first-fit-decreasing", "random", "dot-product", "fgd",
)  # fmt: skip
"""What is compared unless policies are named: ours and all baselines."""


def policy_named(name: str) -> Policy:
    """A new policy of this name.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in POLICIES:
        raise ValueError(f"policy {name!r}: there is no such policy; choose from {', '.join(POLICIES)}")
    return POLICIES[name]()
