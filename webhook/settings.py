"""Settings of the webhook, each with its reason; flags and `STOWPLAN_*` variables (`stowplan.serving.settings`)."""

from __future__ import annotations

from dataclasses import dataclass

from stowplan.serving.settings import setting


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """What can be set."""

    kubeconfig: str | None = setting(
        None, "Path of a kubeconfig; empty looks for $KUBECONFIG, then the service account."
    )
    host: str = setting("127.0.0.1", "Address of the webhook; 0.0.0.0 in a pod.")
    port: int = setting(8443, "Port of the webhook; 0 picks a free one.", minimum=0, maximum=65535)
    tls_dir: str = setting("/etc/stowplan/tls", "Folder with tls.crt and tls.key, watched for changes.")
    self_signed: bool = setting(
        default=False, doc="Make a CA (ca.crt) and a serving certificate in the TLS folder where there is none."
    )
    metrics_host: str = setting("127.0.0.1", "Address of health and metrics.")
    metrics_port: int = setting(9443, "Port of health and metrics; 0 picks a free one.", minimum=0, maximum=65535)
    profile_max_age_days: int = setting(
        14,
        "A WorkloadProfile that was not renewed for longer says nothing any more: its workload is sized as one without.",
        unit="d",
        minimum=1,
        maximum=3650,
    )
    fit_to_nodes: bool = setting(
        default=True,
        doc="Never ask for more than the largest node of now has; false where an autoscaler can bring larger nodes.",
    )
    drain_seconds: float = setting(
        5.0,
        "How long to go on answering, closing connections, after SIGTERM: longer than an endpoint needs to disappear.",
        unit="s",
        minimum=0,
    )
    log_level: str = setting("info", "debug, info, warning or error.")
