"""The automatic step back: whether a workload fares worse since its size changed."""
