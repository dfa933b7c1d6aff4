"""Reading the fields of a JSON object: types, ranges and defaults, with errors that name the path, the value and the remedy."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from stowplan.model.quantity import QuantityError, parse_quantity

_E = TypeVar("_E", bound=StrEnum)
_DURATION: Final = re.compile(r"([0-9]{1,4})([hd])", re.ASCII)


class ClassError(ValueError):
    """A class or policy that makes no sense; the message names the object, the field's path, the value and the remedy."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object, its path for messages, and whether unknown fields are errors."""

    owner: str
    path: str
    content: Mapping[str, Any]
    strict: bool

    def error(self, name: str, value: Any, remedy: str) -> ClassError:
        """An error about one of its fields: what it is, and what it should be."""
        at = f"{self.path}.{name}" if self.path else name
        return ClassError(f"{self.owner}: {at}: {value!r}: {remedy}")

    def only(self, *names: str) -> Fields:
        """Itself, after a check for unknown fields where those are errors."""
        unknown = [name for name in self.content if name not in names] if self.strict else []
        if unknown:
            raise self.error(str(unknown[0]), self.content[unknown[0]], f"unknown field; known are {', '.join(names)}")
        return self

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self.content.get(name) is not None

    def child(self, name: str, *names: str) -> Fields:
        """An object below; empty where it is absent. With `names`, others are unknown fields."""
        value = self.content.get(name)
        if value is not None and not isinstance(value, Mapping):
            raise self.error(name, value, "must be an object")
        path = f"{self.path}.{name}" if self.path else name
        child = Fields(self.owner, path, value or {}, self.strict)
        return child.only(*names) if names else child

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from low to high."""
        value = self.content.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.error(name, value, f"must be a whole number from {low} to {high}")
        return value

    def boolean(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self.content.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.error(name, value, "must be true or false")
        return default if value is None else value

    def text(self, name: str, default: str) -> str:
        """A text."""
        value = self.content.get(name)
        if value is not None and not isinstance(value, str):
            raise self.error(name, value, "must be text")
        return default if value is None else value

    def choice(self, name: str, default: _E) -> _E:
        """A member of the enum that the default belongs to."""
        kind = type(default)
        return kind(self.one_of(name, default, tuple(kind)))

    def one_of(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of the allowed words."""
        value = self.content.get(name)
        if value is not None and value not in allowed:
            raise self.error(name, value, f"must be one of {', '.join(allowed)}")
        return default if value is None else str(value)

    def amount(self, name: str, default: int, parse: Callable[[str | float], int]) -> int:
        """A quantity of more than zero, in the integer unit of `parse`."""
        value = self.content.get(name)
        if value is None:
            return default
        try:
            amount = parse(value)
        except QuantityError as error:
            raise self.error(name, value, str(error)) from error
        if amount <= 0:
            raise self.error(name, value, "must be more than zero")
        return amount

    def hours(self, name: str, default: int, *, whole_days: bool = False) -> int:
        """A duration in hours; where `whole_days`, only days are accepted."""
        value = self.content.get(name)
        if value is None:
            return default
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None or (whole_days and (match[2] != "d" or int(match[1]) == 0)):
            remedy = (
                "must be one or more days such as 14d" if whole_days else "must be days such as 3d or hours such as 36h"
            )
            raise self.error(name, value, remedy)
        return int(match[1]) * (24 if match[2] == "d" else 1)

    def percent_or_none(self, name: str, default: int | None) -> int | None:
        """A limit in percent of the request: None when it is 0."""
        value = self.integer(name, default or 0, 0, 1000)
        if 0 < value < 100:  # noqa: PLR2004 - a limit below its request is refused by the API server
            raise self.error(name, value, "must be 0 (no limit) or 100 and more, in percent of the request")
        return value or None

    def staffing(self, name: str, default: int | None) -> int | None:
        """A factor such as 1.761 in thousandths; None when it is 0."""
        value = self.content.get(name)
        if value is None:
            return default
        try:
            thousandths = math.ceil(parse_quantity(value) * 1000)
        except QuantityError as error:
            raise self.error(name, value, str(error)) from error
        if not 0 <= thousandths <= 10_000:  # noqa: PLR2004 - far above the 2.375 of Netflix's tier 0
            raise self.error(name, value, "must be from 0 (no staffing floor) to 10")
        return thousandths or None
