"""What is remembered of each container: days and runs as sketches, and what is left out or corrected before they are learned."""
