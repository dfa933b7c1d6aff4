"""Moves: which nodes could be emptied into the room of others, and which pods could be placed if others moved. Pure, but for `eviction`."""
