"""Placement policies on recorded traces: openb with the published protocol, Azure arrivals with departures, backlogs, planner scaling."""
