"""From the arguments of a call to its answer: gathers the view, asks the pure decision, holds room, counts, remembers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from prometheus_client import Counter

from extender.cluster.cache import Cache
from extender.deciding.candidates import NO_SLOTS, View, fill_order, is_occupied
from extender.deciding.decision_log import Decision, DecisionLog
from extender.deciding.narrowing import Breadth, Narrowed, narrow
from extender.deciding.node_ledger import NodeLedger
from extender.deciding.offered import ExtenderArgs
from extender.deciding.outcomes import NARROWING, Outcome
from extender.deciding.prioritize import Prioritized, prioritize
from extender.deciding.recent_calls import RecentCalls
from extender.deciding.reservations import Reservations
from extender.deciding.slots import SlotLedger
from extender.lifetimes.node_values import NodeValues
from extender.metrics import ExtenderMetrics
from extender.plan import Plan
from extender.pod_ages import PodAges
from extender.scoring import strategy_named
from extender.scoring.expected_cost import expected_cost
from extender.settings import ExtenderSettings
from stowplan.kube.projection import SignatureInterner, project_pod
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.pod import Pod
from stowplan.model.workload_class import WorkloadClass

T = TypeVar("T")

log = logging.getLogger(__name__)

FILTER: Final = "filter"
PRIORITIZE: Final = "prioritize"
SPREADS_FROM: Final = 10
"""Weight of spread from which a class gets a choice of nodes where its pods have soft preferences."""
_ORDER_SECONDS: Final = 1.0
_LOGGED_OPTIONS: Final = 5


@dataclass(frozen=True, slots=True)
class Clocks:
    """Time, injected."""

    monotonic: Callable[[], float]
    """Seconds from anywhere, for ages."""
    wall: Callable[[], float]
    """Unix seconds, to compare with creation timestamps."""


class Decider:
    """Answers calls. Never raises; on doubt the answer changes nothing.

    Args:
        settings: channel, breadth, windows.
        cache: the cluster; whoever feeds it tells `reservations` and `ledger` of bindings.
        ledger: slots left of the plan.
        reservations: room held.
        plan: the plan that is current now.
        trouble: why the cache cannot be trusted now, or None.
        metrics: where it is counted.
        clocks: time.
        nodes: nodes by expected cost; whoever feeds the cache tells it of bindings. A private one when absent.
        values: what was learned about nodes so far.
        interner: of whoever feeds the cache, so that a pod seen there needs no decoding here. A private one when absent.
    """

    def __init__(  # noqa: PLR0913 - all that a decision reads comes from outside
        self,
        *,
        settings: ExtenderSettings,
        cache: Cache,
        ledger: SlotLedger,
        reservations: Reservations,
        plan: Callable[[], Plan],
        trouble: Callable[[], Outcome | None],
        metrics: ExtenderMetrics,
        clocks: Clocks,
        nodes: NodeLedger | None = None,
        values: Callable[[], NodeValues | None] = lambda: None,
        interner: SignatureInterner | None = None,
    ) -> None:
        self.decisions = DecisionLog()
        self._settings = settings
        self._cache = cache
        self._ledger = ledger
        self._reservations = reservations
        self._plan = plan
        self._trouble = trouble
        self._metrics = metrics
        self._clocks = clocks
        self._ages = PodAges(clocks.monotonic, clocks.wall)
        self._nodes = nodes or NodeLedger()
        self._drain: frozenset[str] = frozenset()
        self._values = values
        self._strategy = strategy_named(settings.strategy)
        self._breadth = settings.breadth
        self._one_offer = replace(settings.breadth, offers=1)
        self._classes: Mapping[str, WorkloadClass] = BUILTIN_CLASSES
        self._interner = SignatureInterner() if interner is None else interner  # an empty one is false
        self._named = {verb: RecentCalls(clocks.monotonic, settings.retry_window) for verb in (FILTER, PRIORITIZE)}
        self._own_order: tuple[str, ...] = ()
        self._own_order_until = float("-inf")
        self._ordered_changes = 0
        self._counters: dict[tuple[str, Outcome], Counter] = {}
        """Children of `metrics.decisions`: looking one up costs more than counting."""

    def filter(self, args: ExtenderArgs) -> Sequence[str]:
        """The names to keep: never none of several, always out of those given."""
        if self._settings.channel not in ("narrow", "both"):
            return self._abstain(FILTER, Outcome.OFF, args.names)
        try:
            return self._filter(args)
        except Exception:
            log.exception("filter failed; the names are returned unchanged")
            return self._abstain(FILTER, Outcome.ERROR, args.names)

    def prioritize(self, args: ExtenderArgs) -> Sequence[tuple[str, int]]:
        """Scores for the best few of the names given, or nothing."""
        if self._settings.channel not in ("prioritize", "both"):
            return self._abstain(PRIORITIZE, Outcome.OFF, ())
        try:
            return self._prioritize(args)
        except Exception:
            log.exception("prioritize failed; nothing is scored")
            return self._abstain(PRIORITIZE, Outcome.ERROR, ())

    def set_classes(self, classes: Mapping[str, WorkloadClass]) -> None:
        """Decide by these workload classes from now on."""
        self._classes = classes

    @property
    def trouble(self) -> Outcome | None:
        """Why the cluster as watched cannot be trusted now, or None."""
        return self._trouble()

    def view(self) -> View:
        """What decisions read now."""
        self._reservations.expire()
        self._adopt(self._plan())
        snapshot = self._cache.snapshot()
        nodes = self._nodes if self._strategy is expected_cost else None
        order: Sequence[str] = ()
        if nodes is None:
            order = self._ledger.plan.fill_order or self._order()
        else:
            changed = {name: snapshot.nodes.get(name) for name in sorted(self._cache.changed_nodes())}
            nodes.update(changed, {name: info is not None and is_occupied(info) for name, info in changed.items()})
            for name in self._reservations.changed_nodes():
                nodes.hold(name, self._reservations.used(name), self._reservations.pods(name))
            nodes.use(self._values())
        return View(
            snapshot, self._ledger, self._reservations, order, self._strategy, self._classes, nodes, self._drain
        )

    def _filter(self, args: ExtenderArgs) -> Sequence[str]:
        pod = self._readable(args)
        if isinstance(pod, Outcome):
            return self._abstain(FILTER, pod, args.names)
        answer = narrow(pod, args.names, self.view(), self._breadth_for(pod), retried=pod.uid in self._named[FILTER])
        self._settle(FILTER, pod, answer, offered=len(args.names), kept=len(answer.names))
        return answer.names

    def _prioritize(self, args: ExtenderArgs) -> Sequence[tuple[str, int]]:
        pod = self._readable(args)
        if isinstance(pod, Outcome):
            return self._abstain(PRIORITIZE, pod, ())
        retried = pod.uid in self._named[PRIORITIZE]
        answer = prioritize(pod, args.names, self.view(), self._breadth, retried=retried)
        self._settle(PRIORITIZE, pod, answer, offered=len(args.names), kept=len(answer.scores))
        return answer.scores

    def _readable(self, args: ExtenderArgs) -> Pod | Outcome:
        """The pod of the call, or the doubt that forbids to decide about it. What was answered for it before is void from now on."""
        trouble = self._trouble()
        if trouble is not None:
            return trouble
        try:
            pod = project_pod(args.pod, self._interner)
        except ValueError:  # msgspec's and the quantities' errors alike
            return Outcome.UNKNOWN_POD
        if not pod.uid:
            return Outcome.UNKNOWN_POD
        self._reservations.release(pod.uid)
        # as if it were the pod's own: whichever is earlier ends it
        deadline = self._cache.deadline((pod.namespace, pod.signature.owner_key))
        if deadline is not None:
            pod.ends_s = min(pod.ends_s or deadline.ends_s, deadline.ends_s)
        # The scheduler has learned of the pod from its own watch. Timestamps are cut to whole seconds, hence the one more.
        age = self._ages.age(pod.created_s) - 1
        return Outcome.LAGGING if age > self._settings.max_lag and self._cache.pod(pod.uid) is None else pod

    def _settle(self, verb: str, pod: Pod, answer: Narrowed | Prioritized, *, offered: int, kept: int) -> None:
        """What follows from an answer: room held, the call remembered, counts and the record of it."""
        self._count(verb, answer.outcome)
        if answer.slots is not NO_SLOTS:
            self._metrics.not_offered.inc(answer.slots.not_offered)
            self._metrics.stale.inc(answer.slots.stale)
        if answer.outcome in NARROWING:
            self._reservations.take(pod.uid, pod.signature, answer.chosen)
            self._nodes.placed(pod.uid, pod.signature, answer.chosen, self._cache.generation)
            self._named[verb].note(pod.uid)
        self.decisions.record(self._record(verb, pod, answer, offered, kept))

    def _record(self, verb: str, pod: Pod, answer: Narrowed | Prioritized, offered: int, kept: int) -> Decision:
        plan = self._ledger.plan
        return Decision(
            uid=pod.uid,
            namespace=pod.namespace,
            name=pod.name,
            verb=verb,
            at_s=int(self._clocks.wall()),
            outcome=answer.outcome,
            node=answer.chosen,
            offered=offered,
            kept=kept,
            options=answer.options[:_LOGGED_OPTIONS],
            plan_generation=plan.generation,
            plan_source=plan.source,
            plan_cost=plan.cost_micro_usd_per_hour,
            plan_bound=plan.bound_micro_usd_per_hour,
            plan_solve_ms=plan.solve_ms,
        )

    def _breadth_for(self, pod: Pod) -> Breadth:
        """A class that packs gets the one best node: its soft preferences are not worth another node's price.

        Measured in the demo: with three nodes named for every pod with a soft preference, the scheduler's own scores (LeastAllocated
        among them) undo so much of the packing that the nodes in use cost about a tenth more.
        """
        workload_class = self._classes.get(pod.signature.workload_class)
        packs = workload_class is not None and workload_class.scheduling.weights.spread < SPREADS_FROM
        return self._one_offer if packs else self._breadth

    def _abstain(self, verb: str, outcome: Outcome, answer: Sequence[T]) -> Sequence[T]:
        self._count(verb, outcome)
        return answer

    def _count(self, verb: str, outcome: Outcome) -> None:
        counter = self._counters.get((verb, outcome))
        if counter is None:
            counter = self._counters[verb, outcome] = self._metrics.decisions.labels(verb, outcome.value)
        counter.inc()

    def _adopt(self, plan: Plan) -> None:
        if plan is not self._ledger.plan:
            self._ledger.use(plan)
            self._metrics.published(plan)
            self._drain = frozenset(plan.drain)

    def _order(self) -> Sequence[str]:
        """Our own fill order; it costs a sort of all nodes, and ages gracefully while only pods come and go."""
        now = self._clocks.monotonic()
        if now >= self._own_order_until or self._cache.node_changes != self._ordered_changes:
            self._own_order = fill_order(self._cache.snapshot())
            self._own_order_until = now + _ORDER_SECONDS
            self._ordered_changes = self._cache.node_changes
        return self._own_order
