"""The words by which cluster-autoscaler, Karpenter and people say what may be disrupted, and which nodes are on their way out.

Sources: the FAQ of cluster-autoscaler ("What types of pods can prevent CA from removing a node?", "How can I prevent CA from scaling down a
particular node?"), and Karpenter's pages on disruption.
"""

from __future__ import annotations

from typing import Final

SAFE_TO_EVICT: Final = "cluster-autoscaler.kubernetes.io/safe-to-evict"
"""Pod annotation: `false` keeps the pod where it is, `true` allows what would else forbid to move it."""
DO_NOT_DISRUPT: Final = "karpenter.sh/do-not-disrupt"
"""Annotation of a pod or a node: `true` keeps it."""
SCALE_DOWN_DISABLED: Final = "cluster-autoscaler.kubernetes.io/scale-down-disabled"
"""Node annotation: `true` keeps it."""
LEAVING_TAINTS: Final = frozenset(
    {
        "ToBeDeletedByClusterAutoscaler",
        "DeletionCandidateOfClusterAutoscaler",
        "karpenter.sh/disrupted",
        "karpenter.sh/disruption",
    }
)
"""Taints with which a node is on its way out already: that is theirs to finish."""
AUTOSCALER_STATUS: Final = ("kube-system", "cluster-autoscaler-status")
"""Namespace and name of the ConfigMap in which cluster-autoscaler writes its status, unless it is told otherwise."""
NODE_POOL: Final = "karpenter.sh/nodepool"
"""Label of the nodes that Karpenter makes and removes."""
