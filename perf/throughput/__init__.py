"""Pods placed a second by a real kube-scheduler with us beside it, against the same scheduler alone, paired in one run."""
