"""The sample of a real trace that the demo replays; source and licence are in the neighbouring README.md."""
