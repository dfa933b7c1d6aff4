"""The labels and annotations of stowplan. Users write the first group on pod templates; the status group is output only."""

from typing import Final

GROUP: Final = "stowplan.dev"
VERSION: Final = "v1alpha1"

CLASS: Final = "stowplan.dev/class"
SIZE: Final = "stowplan.dev/size"
SHAPE: Final = "stowplan.dev/shape"
LATENCY: Final = "stowplan.dev/latency"
COST: Final = "stowplan.dev/cost"
SPREAD: Final = "stowplan.dev/spread"
MODE: Final = "stowplan.dev/mode"
INJECT: Final = "stowplan.dev/inject"
"""On a namespace `enabled` opts in; on a pod `disabled` opts out and wins."""

CPU_MIN: Final = "stowplan.dev/cpu-min"
CPU_MAX: Final = "stowplan.dev/cpu-max"
MEMORY_MIN: Final = "stowplan.dev/memory-min"
MEMORY_MAX: Final = "stowplan.dev/memory-max"
KEEP: Final = "stowplan.dev/keep"
"""Annotation: comma separated effects to leave alone: size, limits, priority, spread, placement."""
MAX_PER_NODE: Final = "stowplan.dev/max-per-node"
"""Annotation: most replicas of the service on one node, a count or a percentage of its replicas."""
MAX_PER_SPOT_POOL: Final = "stowplan.dev/max-per-spot-pool"
"""Annotation: the same for one spot pool (instance type and zone)."""
GANG: Final = "stowplan.dev/gang"
"""Annotation: `all`, or how many pods of the group must stand together."""
POD_GROUP: Final = ("scheduling.x-k8s.io/pod-group", "pod-group.scheduling.sigs.k8s.io")
"""Labels of the coscheduling plugin that name a pod's PodGroup; the second is the older one."""
CONTAINER_POLICY_SUFFIX: Final = ".containers.stowplan.dev/policy"
"""Annotation `<container>.containers.stowplan.dev/policy`: auto, fixed or ignore."""

STATUS_PREFIX: Final = "status.stowplan.dev/"
DECISION: Final = "status.stowplan.dev/decision"
WHY: Final = "status.stowplan.dev/why"
CLASS_REVISION: Final = "status.stowplan.dev/class-revision"
SKIPPED: Final = "status.stowplan.dev/skipped"

PRICE: Final = "stowplan.dev/price-per-hour"
"""Node annotation or label: dollars an hour, overriding the price table."""

SCHEDULER_NAME: Final = "stowplan-scheduler"
DEFAULT_SCHEDULER_NAME: Final = "default-scheduler"
SYSTEM_NAMESPACE: Final = "stowplan-system"

INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"
ZONE: Final = "topology.kubernetes.io/zone"
HOSTNAME: Final = "kubernetes.io/hostname"
CAPACITY_TYPE: Final = "karpenter.sh/capacity-type"
LIMIT_RANGER: Final = "kubernetes.io/limit-ranger"
MIRROR_POD: Final = "kubernetes.io/config.mirror"
