"""The nomination channel: `status.nominatedNodeName` of pods that wait, by the plan's slots (KEP-5278)."""
