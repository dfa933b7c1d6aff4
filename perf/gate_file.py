"""Reads `gates.toml`. Everything that would make a gate meaningless is an error that names gate, field, value and remedy."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from perf.gates import Bound, Direction, Gate, Kind
from perf.part import Profile

GATE_FILE: Final = Path(__file__).parent / "gates.toml"
Choice = TypeVar("Choice", Direction, Kind)
_FIELDS: Final = frozenset(
    {"name", "part", "says", "unit", "value", "over", "direction", "kind", "target", *map(str, Profile)}
)
_ROUNDING: Final = 2e-3
"""Bound and mean are written with three or four digits."""
_BARE: Final = ("s", "ms", "us", "µs", "seconds", "pods/s")


def read_gates(path: Path = GATE_FILE) -> list[Gate]:
    """All gates of the file.

    Raises:
        ValueError: a gate makes no sense.
    """
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    gates = [_gate(entry) for entry in document.get("gate", ())]
    names = [gate.name for gate in gates]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"gate {name!r} is there twice; give each a name of its own")
    return gates


def _gate(entry: Mapping[str, Any]) -> Gate:
    name = str(entry.get("name", ""))
    for field in ("name", "part", "says", "unit", "value", "direction", "kind"):
        if not entry.get(field):
            raise ValueError(f"gate {name!r}: field {field!r} is missing; every gate has one")
    unknown = sorted(set(entry) - _FIELDS)
    if unknown:
        raise ValueError(f"gate {name!r}: field {unknown[0]!r} is unknown; there are {', '.join(sorted(_FIELDS))}")
    if entry["unit"] in _BARE:
        raise ValueError(
            f"gate {name!r}: unit {entry['unit']!r} depends on the machine; divide by a baseline of the same run"
        )
    direction = _choice(Direction, name, "direction", entry["direction"])
    return Gate(
        name=name,
        part=entry["part"],
        says=entry["says"],
        unit=entry["unit"],
        value=tuple(entry["value"]),
        over=tuple(entry.get("over", ())),
        direction=direction,
        kind=_choice(Kind, name, "kind", entry["kind"]),
        bounds={p: _bound(name, p, entry[p.value], direction) for p in Profile if p.value in entry},
        target=entry.get("target"),
    )


def _choice(of: type[Choice], name: str, field: str, value: str) -> Choice:
    try:
        return of(value)
    except ValueError:
        raise ValueError(f"gate {name!r}: {field} {value!r}: choose {' or '.join(map(str, of))}") from None


def _bound(name: str, profile: Profile, entry: Mapping[str, Any], direction: Direction) -> Bound:
    where = f"gate {name!r}, {profile}"
    try:
        bound = Bound(**{**entry, "date": str(entry["date"])})
    except (KeyError, TypeError) as error:
        raise ValueError(f"{where}: {error}; give bound, mean, spread, runs, margin, date and command") from error
    if bound.margin <= bound.spread:
        raise ValueError(
            f"{where}: margin {bound.margin} is not above the spread {bound.spread}; it would fail by chance"
        )
    expected = bound.mean - bound.margin if direction is Direction.AT_LEAST else bound.mean + bound.margin
    if abs(expected - bound.bound) > _ROUNDING * max(1.0, abs(expected)):
        raise ValueError(
            f"{where}: bound {bound.bound} is not mean and margin, {expected:.4g}; correct one of the three"
        )
    return bound
