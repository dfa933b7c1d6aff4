"""Settings: a frozen dataclass filled once, at start, from flags and environment variables.

A settings class declares each field with `setting`, which documents unit, bounds and reason:

    @dataclass(frozen=True, slots=True)
    class WebhookSettings:
        port: int = setting(8443, "Port of the webhook.", minimum=0, maximum=65535)

Field ``drain_seconds`` is the flag ``--drain-seconds`` and the variable ``STOWPLAN_DRAIN_SECONDS``; the flag wins.
Mistakes end the start: a setting that is silently ignored is found out in an incident.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import re
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from _typeshed import DataclassInstance

PREFIX: Final = "STOWPLAN_"
_SERVICE_LINK: Final = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$")
_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

S = TypeVar("S", bound="DataclassInstance")


class SettingsError(ValueError):
    """A setting is unknown or makes no sense; the message names it, its value and the remedy."""


def setting(
    default: Any,
    doc: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """A dataclass field with what a user must know about it.

    Args:
        default: value when neither flag nor variable is given.
        doc: what it does and why the default is what it is.
        unit: unit of a number.
        minimum: smallest value allowed.
        maximum: largest value allowed.
    """
    bounds = {"doc": doc, "unit": unit, "minimum": minimum, "maximum": maximum}
    return dataclasses.field(default=default, metadata=bounds)


def load_settings(cls: type[S], environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> S:
    """The settings of ``cls``.

    Args:
        cls: a dataclass whose fields are declared with `setting`.
        environ: environment variables; only ``STOWPLAN_*`` are looked at, and those that Kubernetes makes for
            a Service of such a name (``STOWPLAN_WEBHOOK_PORT=tcp://...``) are passed over.
        flags: values by field name, as from `parse_flags`; they win over variables.

    Raises:
        SettingsError: an unknown variable or field, a value that does not parse, or one out of bounds.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}
    given: dict[str, tuple[str, str]] = {}
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX) and not _is_service_link(variable, text):
            given[variable.removeprefix(PREFIX).lower()] = (variable, text)
    for name, text in (flags or {}).items():
        given[name] = (f"--{name.replace('_', '-')}", text)
    hints = get_type_hints(cls)
    values = {}
    for name, (source, text) in given.items():
        if name not in fields:
            raise SettingsError(_unknown(source, name, list(fields)))
        values[name] = _checked(source, text, hints[name], fields[name].metadata)
    return cls(**values)


def parse_flags(cls: type[DataclassInstance], argv: Sequence[str], *, program: str) -> dict[str, str]:
    """The flags given in ``argv``, by field name; ``--help`` prints all of them with defaults and reasons.

    Raises:
        SystemExit: help was asked for, or a flag is unknown (status 2).
    """
    parser = argparse.ArgumentParser(program, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for name, doc, default in describe(cls):
        text = f"{doc} Default {default!r}; also ${PREFIX}{name.upper()}.".replace("%", "%%")
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="VALUE", help=text)
    return dict(vars(parser.parse_args(argv)))


def describe(cls: type[DataclassInstance]) -> list[tuple[str, str, Any]]:
    """Name, documentation (unit and bounds included) and default of each field, in order."""
    return [(field.name, _documented(field.metadata), field.default) for field in dataclasses.fields(cls)]


def _documented(metadata: Mapping[str, Any]) -> str:
    facts = [f"in {metadata['unit']}"] if metadata.get("unit") else []
    facts += [f"{word} {metadata[word]}" for word in ("minimum", "maximum") if metadata.get(word) is not None]
    return f"{metadata.get('doc', '')} ({', '.join(facts)})" if facts else str(metadata.get("doc", ""))


def _is_service_link(variable: str, text: str) -> bool:
    # STOWPLAN_PORT may be a setting: there the value tells, since links are URLs such as tcp://10.0.0.1:443.
    match = _SERVICE_LINK.search(variable)
    if match is None:
        return False
    return not match.group().endswith("_PORT") or "_SERVICE_" in match.group() or "://" in text


def _unknown(source: str, name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if not close:
        return f"{source}: there is no such setting; known are {', '.join(sorted(known))}"
    wanted = close[0].replace("_", "-")
    return f"{source}: there is no such setting; did you mean {PREFIX}{close[0].upper()} (--{wanted})?"


def _checked(source: str, text: str, hint: Any, metadata: Mapping[str, Any]) -> Any:
    value = _parsed(source, text.strip(), hint)
    low, high = metadata.get("minimum"), metadata.get("maximum")
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Written so that NaN fails as well.
        if low is not None and not value >= low:
            raise SettingsError(f"{source}={text}: give at least {low} {metadata['unit']}".rstrip())
        if high is not None and not value <= high:
            raise SettingsError(f"{source}={text}: give at most {high} {metadata['unit']}".rstrip())
    return value


def _parsed(source: str, text: str, hint: Any) -> Any:
    if isinstance(hint, UnionType):
        if text == "":
            return None
        (hint,) = (kind for kind in get_args(hint) if kind is not type(None))
    if get_origin(hint) is Literal:
        if text not in get_args(hint):
            raise SettingsError(f"{source}={text}: give one of {', '.join(get_args(hint))}")
        return text
    if hint is bool:
        if text.lower() not in _BOOLEANS:
            raise SettingsError(f"{source}={text}: give true or false")
        return _BOOLEANS[text.lower()]
    parsers: dict[Any, tuple[Callable[[str], Any], str]] = {
        int: (int, "a whole number"),
        float: (float, "a number"),
        str: (str, "text"),
        Path: (Path, "a path"),
    }
    parse, wanted = parsers[hint]
    try:
        return parse(text)
    except ValueError as error:
        raise SettingsError(f"{source}={text}: give {wanted}") from error
