"""Data only: the Go module whose ``tool`` line names metrics-server, with its checksums; apart, for it needs other versions."""
