"""The bin-packer: instance, greedy, CP-SAT model and independent validation."""
