"""Pods that come and go at a steady pace, through webhook and scheduler, beside the same pods of a namespace that is not opted in."""
