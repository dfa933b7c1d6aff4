"""PodDisruptionBudgets: how many pods may be away at once, counted down as moves are proposed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stowplan.model.pod import Pod
from stowplan.model.selectors import LabelSelector, parse_label_selector

_NODE_SYSTEM = "kube-system"


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """One PodDisruptionBudget of policy/v1."""

    namespace: str
    name: str
    selector: LabelSelector | None
    """None selects nothing, the empty selector all pods of the namespace."""
    allowed: int
    """`status.disruptionsAllowed`; 0 until the controller has looked at it."""

    def covers(self, pod: Pod) -> bool:
        """Whether it speaks of the pod."""
        if pod.namespace != self.namespace or self.selector is None:
            return False
        return self.selector.matches(dict(pod.signature.labels))


def parse_disruption_budget(item: Mapping[str, Any]) -> DisruptionBudget:
    """The budget that the JSON describes."""
    metadata = item["metadata"]
    selector = parse_label_selector((item.get("spec") or {}).get("selector"))
    allowed = int((item.get("status") or {}).get("disruptionsAllowed") or 0)
    return DisruptionBudget(metadata.get("namespace", ""), metadata["name"], selector, max(0, allowed))


class Budgets:
    """What is left of the budgets while moves are collected. A copy can be spent and thrown away.

    Args:
        budgets: all of the cluster.
        patient: whether every eviction waits until the budgets allow it, as those evicted before run again: then what counts is that they
            allow one at all. Otherwise all that is moved has to be within what they allow now.
    """

    def __init__(self, budgets: Iterable[DisruptionBudget], *, patient: bool = False) -> None:
        self._budgets = tuple(budgets)
        self._patient = patient
        self._left = {(b.namespace, b.name): b.allowed for b in self._budgets}

    def copy(self) -> Budgets:
        """The same budgets, to be spent apart from these."""
        twin = Budgets(self._budgets, patient=self._patient)
        twin._left = dict(self._left)
        return twin

    def for_patience(self) -> Budgets:
        """The same budgets for evictions that wait until they are allowed."""
        return Budgets(self._budgets, patient=True)

    def refuses(self, pod: Pod) -> str:
        """Why the pod may not be evicted now, or an empty string."""
        covering = [budget for budget in self._budgets if budget.covers(pod)]
        if len(covering) > 1:
            return "several PodDisruptionBudgets select it, which the Eviction API refuses"
        if not covering:
            return "a system pod without a PodDisruptionBudget" if pod.namespace == _NODE_SYSTEM else ""
        budget = covering[0]
        return "" if self._left[budget.namespace, budget.name] > 0 else f"PodDisruptionBudget {budget.name} allows none"

    def spend(self, pod: Pod) -> None:
        """The pod is moved."""
        if self._patient:
            return
        for budget in self._budgets:
            if budget.covers(pod):
                self._left[budget.namespace, budget.name] -= 1
