"""The main job, end to end: a real trace on a real control plane, with and without stowplan."""
