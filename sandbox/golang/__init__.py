"""Data only: the Go module whose ``tool`` lines name the binaries of the control plane, with its checksums."""
