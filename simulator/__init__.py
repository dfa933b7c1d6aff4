"""Packers on recorded traces, without a cluster: what a policy would have cost."""
