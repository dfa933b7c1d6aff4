"""The official scheduler_perf workloads, stock against our KubeSchedulerConfiguration with the extender beside it, paired."""
