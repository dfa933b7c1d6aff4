"""Gates, results and sections for tests of the perf suite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perf.gates import Bound, Direction, Gate, Kind
from perf.part import Context, Data, Part, Profile
from perf.report.section import Plot, Section, Table
from perf.results import Machine, PartResult

MACHINE = Machine(cpus=2, cpu_model="A CPU", memory_mib=24_576, python="3.11.2", load=0.25)


def bound(value: float = 1.2, mean: float = 1.1, **changed: Any) -> Bound:
    """At most 1.2, measured 1.1 with a spread of 0.02."""
    fields: dict[str, Any] = {
        "spread": 0.02,
        "runs": 5,
        "margin": abs(value - mean),
        "date": "2026-11-25",
        "command": "make perf-short PERF='--parts packing'",
    }
    return Bound(value, mean, **{**fields, **changed})


def gate(name: str = "cost", **changed: Any) -> Gate:
    """`cost` of part `packing` at most 1.2 in the short profile."""
    fields: dict[str, Any] = {
        "part": "packing",
        "says": "cost over the baseline's",
        "unit": "x",
        "value": ("cost",),
        "over": (),
        "direction": Direction.AT_MOST,
        "kind": Kind.RATIO,
        "bounds": {Profile.SHORT: bound()},
    }
    return Gate(name, **{**fields, **changed})


def result(data: Mapping[str, Any] | None, part: str = "packing", **changed: Any) -> PartResult:
    """A part's result in the short profile."""
    fields: dict[str, Any] = {
        "profile": Profile.SHORT,
        "started_at": "2026-11-25T18:00:00Z",
        "seconds": 12.5,
        "commit": "0123456789ab",
        "command": f"make perf-short PERF='--parts {part}'",
        "machine": MACHINE,
    }
    return PartResult(part, **{**fields, "data": data, **changed})


def section(data: Data) -> Section:
    """The cost in every form that a section has."""
    cost = f"{data['cost']:.2f}"
    figure = {"data": [{"type": "bar", "x": ["</script>"], "y": [data["cost"]]}], "layout": {"xaxis": {}, "yaxis": {}}}
    return Section(
        "Packing & co", "Cost <here>.", [Plot("A bar.", figure)], [Table("Costs", ("what", "x"), [("us", cost)])]
    )


def part(name: str, data: Mapping[str, Any], **changed: Any) -> Part:
    """A part that finds this."""

    def measure(_context: Context) -> Data:
        return data

    return Part(name, **{"measure": measure, "section": section, **changed})
