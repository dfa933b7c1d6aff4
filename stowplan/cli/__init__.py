"""The `stowplan` command, also installed as `kubectl-stowplan`."""
