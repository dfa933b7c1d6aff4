"""How long pods stay, learned from those that came before, and what that makes of a node: shared by the planner and the simulator."""
