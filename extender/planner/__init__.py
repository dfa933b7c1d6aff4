"""The background planner: a child process that mirrors the cache and answers with plans, and the server's client of it."""
