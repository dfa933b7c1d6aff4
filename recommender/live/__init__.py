"""The running recommender: what feeds the fleet, its checkpoints, its passes and the profiles it writes."""
