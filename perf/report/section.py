"""What a part has to say for people: a title, sentences, figures and tables. The page turns it into HTML, the terminal into text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Figure = Mapping[str, Any]
"""Plotly JSON: `data` and `layout`. Colours that depend on light or dark are set by the page."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure with the sentence that says how to read it."""

    caption: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text; the first column is the label."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Section:
    """One part in the report."""

    title: str
    lead: str
    """What was measured, against what, in a sentence or two."""
    plots: Sequence[Plot] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = field(default=())
    """What it does not show."""
