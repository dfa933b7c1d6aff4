"""Settings of the extender, each with its reason; flags and `STOWPLAN_*` variables (`stowplan.serving.settings`)."""

from __future__ import annotations

from dataclasses import dataclass

from extender.deciding.narrowing import Breadth
from extender.deciding.reservations import TTL_SECONDS
from extender.feeding.autoscaler import EmptyNodes
from extender.moves.rescuing import Mode as RescueMode
from extender.scheduler_config import DEFAULT_CHANNEL, Channel
from extender.scoring import DEFAULT_STRATEGY, strategy_named
from stowplan.serving.settings import setting


@dataclass(frozen=True, slots=True)
class ExtenderSettings:
    """What can be set. Raises ValueError where values do not go together."""

    kubeconfig: str | None = setting(
        None, "Path of a kubeconfig; empty looks for $KUBECONFIG, then the service account."
    )
    host: str = setting("127.0.0.1", "Address of the extender; the scheduler calls over loopback, without TLS.")
    port: int = setting(8888, "Port of the extender; 0 picks a free one.", minimum=0, maximum=65535)
    metrics_host: str = setting("127.0.0.1", "Address of health and metrics.")
    metrics_port: int = setting(9888, "Port of health and metrics; 0 picks a free one.", minimum=0, maximum=65535)
    channel: Channel = setting(DEFAULT_CHANNEL, "Verbs that act: narrow (filter), prioritize, both, or off.")
    strategy: str = setting(DEFAULT_STRATEGY, "Scoring strategy of the greedy fallback.")
    offers: int = setting(
        3, "Nodes named for a pod with soft preferences, for the scheduler's scores to choose from.", minimum=1
    )
    candidates: int = setting(16, "Fitting nodes that the greedy walk compares; more is slower.", minimum=1)
    scores: int = setting(5, "Nodes scored by prioritize.", minimum=1, maximum=8)
    retry_window: float = setting(
        10.0,
        "A pod asked about again within this time is offered all nodes: ours did not work out.",
        unit="s",
        minimum=0,
    )
    reservation_ttl: float = setting(
        TTL_SECONDS,
        "How long room is held for a pod that was answered for but not seen on a node.",
        unit="s",
        minimum=0,
    )
    max_lag: float = setting(
        2.0, "A pod older than this that our mirror does not know means that the mirror lags.", unit="s", minimum=0
    )
    max_silence: float = setting(
        180.0, "Silence of a watch that means it is broken; bookmarks come about every minute.", unit="s", minimum=1
    )
    planner: bool = setting(
        default=True, doc="Whether the background planner runs; without it all decisions are greedy."
    )
    solver_seconds: float = setting(
        1.0, "Solver time of one plan; the greedy plan needs none of it.", unit="s", minimum=0, maximum=60
    )
    latency_budget: float = setting(
        0.0,
        "How much of the least price a plan may spend on latency and preferences, in percent; 0 never opens a node for them.",
        unit="%",
        minimum=0,
        maximum=100,
    )
    load_interval: float = setting(
        30.0, "How often measured node load (metrics.k8s.io) is read; 0 weighs requests only.", unit="s", minimum=0
    )
    pressure: bool = setting(
        default=False,
        doc="Whether kubelets are asked for CPU pressure through the API server; needs get on nodes/proxy.",
    )
    empty_gpu_nodes: EmptyNodes = setting(
        "auto",
        "Whether nodes with GPUs stay when they are empty: stay, go, or auto, which looks for cluster-autoscaler and Karpenter. "
        "Where they stay, empty ones are used to keep GPUs usable; where they go, nodes in use always come first.",
    )
    nominate: bool = setting(
        default=False,
        doc="Whether waiting pods are nominated to their planned node (status.nominatedNodeName; Kubernetes 1.35 and newer).",
    )
    nominations_per_second: int = setting(50, "Most writes of nominations.", unit="1/s", minimum=1)
    gates: bool = setting(
        default=False,
        doc="Whether the webhook may hold batch pods by a scheduling gate until they are planned; needs patch on pods.",
    )
    gate_seconds: float = setting(
        0.5, "Longest time of a pod behind the gate, whatever becomes of the plan.", unit="s", minimum=0, maximum=60
    )
    group_gate_seconds: float = setting(
        30.0,
        "The same for pods of a group that needs all or nothing, since its first pod.",
        unit="s",
        minimum=0,
        maximum=600,
    )
    rescue: RescueMode = setting(
        "off",
        "Whether pods in the way of one that fits nowhere are evicted, where a rearrangement makes room: off, dry-run or evict.",
    )
    supervise: bool = setting(default=True, doc="Whether a parent process replaces the server when it hangs.")
    drain_seconds: float = setting(1.0, "How long to go on answering after SIGTERM.", unit="s", minimum=0)
    log_level: str = setting("info", "debug, info, warning or error.")

    def __post_init__(self) -> None:
        strategy_named(self.strategy)

    @property
    def breadth(self) -> Breadth:
        """How many nodes are named and compared."""
        return Breadth(offers=self.offers, candidates=self.candidates, scores=self.scores)
