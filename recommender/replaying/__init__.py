"""A recording walked through day by day: strategies, their judge, the frontier and the report."""
