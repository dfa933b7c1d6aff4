"""What headroom costs: the curve between $/h and the load of nodes, for plans and for a replayed trace."""
