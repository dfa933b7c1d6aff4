"""The targets of right-sizing, measured on public recordings: `python -m perf.sizing`."""
