"""The scheduler extender: filter and prioritize by a plan computed in the background."""
