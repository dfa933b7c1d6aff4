"""The KubeSchedulerConfiguration of `stowplan-scheduler`: a stock kube-scheduler that asks this extender.

The one source for the manifests' ConfigMap, the sandbox and the tests.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from stowplan.model.keys import SCHEDULER_NAME, SYSTEM_NAMESPACE

Channel = Literal["narrow", "prioritize", "both", "off"]
"""How a decision reaches the scheduler: the filter verb, the prioritize verb, both, or not at all."""

DEFAULT_CHANNEL: Final[Channel] = "narrow"
DEFAULT_WEIGHT: Final = 13
"""Final share of a node = Score x weight x 10. All default score plugins together are worth at most 1200 points
(100 x the weights 3 + 2 + 2 + 2 + 1 + 1 + 1), so Score 10 x 13 x 10 = 1300 decides alone, while a lead of one step,
130 points, is still weighed against what the plugins say. From 121 on a lead of one step would decide alone."""
DEFAULT_TIMEOUT: Final = "200ms"
"""A hung extender costs this much on every pod until its supervisor replaces it; kube-scheduler's own default is 5 s."""


def scheduler_configuration(  # noqa: PLR0913 - keyword-only, all but one defaulted: one per field an installation sets
    *,
    extender_url: str,
    channel: Channel = DEFAULT_CHANNEL,
    kubeconfig: str | None = None,
    lease_namespace: str = SYSTEM_NAMESPACE,
    percentage_of_nodes_to_score: int = 0,
    weight: int = DEFAULT_WEIGHT,
    http_timeout: str = DEFAULT_TIMEOUT,
    leader_elect: bool = True,
    client_qps: int = 500,
) -> dict[str, Any]:
    """The configuration as the API's JSON value.

    Args:
        extender_url: base URL of the extender, for example `http://127.0.0.1:8888`.
        channel: which verbs the scheduler calls; `off` leaves the extender out.
        kubeconfig: path for the scheduler's own client; None means the pod's service account.
        lease_namespace: where the Lease `stowplan-scheduler` lives. The webhook reads it: no pod is sent to a scheduler that is not there.
        percentage_of_nodes_to_score: 0 samples as stock does (all of 100 nodes, 500 of 5,000); 100 shows us every node, which slows
            the scheduler itself to a quarter at 5,000 nodes. Measured: the sample costs nothing in placement (docs/decisions/0007).
        weight: multiplier of prioritize scores (see `DEFAULT_WEIGHT`).
        http_timeout: bound of one call, as Go writes durations.
        leader_elect: off only where exactly one instance can run, as in a test.
        client_qps: API calls a second; kube-scheduler's default of 50 would throttle below what it can place.

    Raises:
        ValueError: a percentage outside 0..100, or a weight below 1.
    """
    if not 0 <= percentage_of_nodes_to_score <= 100:  # noqa: PLR2004 - it is a percentage
        raise ValueError(f"percentage_of_nodes_to_score {percentage_of_nodes_to_score}: give 0 (sampling) to 100")
    if weight < 1:
        raise ValueError(f"weight {weight}: kube-scheduler refuses a prioritize verb with less than 1")
    client: dict[str, Any] = {"qps": client_qps, "burst": 2 * client_qps}
    if kubeconfig is not None:
        client["kubeconfig"] = kubeconfig
    extender = _extender(extender_url, channel, weight, http_timeout)
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": client,
        "leaderElection": {
            "leaderElect": leader_elect,
            "resourceName": SCHEDULER_NAME,
            "resourceNamespace": lease_namespace,
        },
        "percentageOfNodesToScore": percentage_of_nodes_to_score,
        "profiles": [{"schedulerName": SCHEDULER_NAME}],
        "extenders": [extender] if extender else [],
    }


def _extender(url: str, channel: Channel, weight: int, http_timeout: str) -> dict[str, Any]:
    """The entry of the extender; empty where the channel is off."""
    verbs: dict[str, Any] = {}
    if channel in ("narrow", "both"):
        verbs["filterVerb"] = "filter"
    if channel in ("prioritize", "both"):
        verbs |= {"prioritizeVerb": "prioritize", "weight": weight}
    if not verbs:
        return {}
    return {
        "urlPrefix": url.rstrip("/"),
        **verbs,
        "enableHTTPS": False,  # over loopback; with HTTPS and no CA the scheduler's client is silently insecure
        "httpTimeout": http_timeout,
        "nodeCacheCapable": True,
        "ignorable": True,
    }
