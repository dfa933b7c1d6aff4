"""The class of a pod; the recommender resolves it by the same rules, so they stand in `stowplan.model.class_matching`."""

from stowplan.model.class_matching import Match, resolve_class

__all__ = ["Match", "resolve_class"]
