"""The HTML report: one self-contained page with the gates first, then a section per part."""
