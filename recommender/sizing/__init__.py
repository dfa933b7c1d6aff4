"""From a forecast to requests: risk, steps, newcomers, and the provenance of every number."""
