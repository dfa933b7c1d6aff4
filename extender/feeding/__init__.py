"""What watches and polls say, and where it goes: the cache, what is held, the planner."""
