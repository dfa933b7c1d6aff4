"""When a pod ends at the latest."""

from __future__ import annotations

from datetime import datetime

from stowplan.kube.shapes import OwnSpec, PodStatus


def deadline_of(spec: OwnSpec, status: PodStatus, created: datetime | None) -> int:
    """Unix seconds at which `spec.activeDeadlineSeconds` ends the pod, counted from its creation until it starts; 0 where it has none."""
    seconds, start = spec.get("activeDeadlineSeconds"), status.get("startTime") or created
    return int(start.timestamp()) + seconds if seconds and start else 0
