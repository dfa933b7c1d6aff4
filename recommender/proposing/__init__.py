"""What would change for which workload, as a table and as JSON."""
