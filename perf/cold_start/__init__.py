"""An extender that starts beside a large cluster: time until it knows everything, memory, and its answers while the planner solves."""
