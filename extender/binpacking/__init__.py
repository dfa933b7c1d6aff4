"""The bin-packer: instance, greedy, CP-SAT model and independent validation."""

from extender.binpacking.cp_sat import load_cp_sat

load_cp_sat()
