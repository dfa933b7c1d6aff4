"""The workloads in memory, and whose each pod is."""
