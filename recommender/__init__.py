"""Learns how much CPU and memory each workload needs from what it used, with a stated risk."""
