"""Settings of the recommender, each with its reason; flags and `STOWPLAN_*` variables (`stowplan.serving.settings`)."""

from __future__ import annotations

from dataclasses import dataclass

from stowplan.model.keys import SYSTEM_NAMESPACE
from stowplan.serving.settings import setting


@dataclass(frozen=True, slots=True)
class RecommenderSettings:
    """What can be set."""

    kubeconfig: str | None = setting(
        None, "Path of a kubeconfig; empty looks for $KUBECONFIG, then the service account."
    )
    metrics_host: str = setting("127.0.0.1", "Address of health and metrics; the pod's address in a pod.")
    metrics_port: int = setting(9447, "Port of health and metrics; 0 picks a free one.", minimum=0, maximum=65535)
    namespace: str = setting(SYSTEM_NAMESPACE, "Namespace of the Lease and of the open-day checkpoints.")
    lease_name: str = setting("stowplan-recommender", "Lease that one recommender holds; others stand by.")
    identity: str = setting("", "Name in the Lease; empty: host name and a random number, which is unique.")
    prometheus_url: str = setting(
        "",
        "Prometheus (Thanos, Mimir) with the kubelets' cAdvisor metrics, without /api/v1; empty: metrics.k8s.io, which needs "
        "nothing else but has no past and no throttling.",
    )
    prometheus_selector: str = setting("", 'Further label matchers, such as cluster="prod".')
    prometheus_token_file: str = setting("", "Bearer token for Prometheus, read again for each request.")
    prometheus_ca_file: str = setting("", "PEM of the authority of Prometheus' certificate; empty: the system's.")
    prometheus_tenant: str = setting("", "Value of X-Scope-OrgID, where there are several tenants.")
    back_fill_days: int = setting(
        14,
        "Days of the past that are read on the first start, where the source has a past.",
        unit="d",
        minimum=0,
        maximum=56,
    )
    poll_seconds: float = setting(
        60.0,
        "Time between two looks at usage; metrics-server measures every 15 to 60 s.",
        unit="s",
        minimum=0.1,
        maximum=900,
    )
    checkpoint_seconds: float = setting(
        45.0,
        "In this time every open day is written once: what a crash loses. A minute is the promise, so not above it.",
        unit="s",
        minimum=0.5,
        maximum=60,
    )
    pass_seconds: float = setting(
        3600.0, "Time between two passes over all workloads; new ones and incidents do not wait.", unit="s", minimum=1
    )
    urgent_seconds: float = setting(
        10.0, "Time between two looks for workloads that are new or had an incident.", unit="s", minimum=0.1
    )
    writes_per_second: float = setting(
        50.0, "Most profiles written in a second: after midnight all change.", unit="1/s", minimum=0.1
    )
    forget_days: int = setting(
        56, "A workload without pods for this long is forgotten and its profile deleted.", unit="d", minimum=1
    )
    forget_runs_days: int = setting(
        7, "The same for pods and jobs that ran once: each name is new, so there are many.", unit="d", minimum=1
    )
    max_containers: int = setting(
        200_000, "Containers remembered at most: bounds memory at about 10 KiB each.", minimum=1
    )
    lease_seconds: float = setting(
        15.0, "How long others wait for a holder that is gone; it stops itself after two thirds.", unit="s", minimum=1
    )
    log_level: str = setting("info", "debug, info, warning or error.")
