"""Reads manifests from files: YAML with many documents, JSON, JSON lines, List objects. A bad document spoils no other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml


@dataclass(frozen=True, slots=True)
class Source:
    """Where a document stands; `number` counts from 1 within the file."""

    file: str
    number: int
    item: int | None = None
    """Within a List."""

    def __str__(self) -> str:
        place = f"{self.file} document {self.number}"
        return place if self.item is None else f"{place} item {self.item}"


@dataclass(frozen=True, slots=True)
class Document:
    """One object, or the sentence that says why there is none."""

    source: Source
    value: Any = None
    error: str = ""


_MAX_VALUES: Final = 1_000_000
"""In one document, aliases counted as often as they are used: a handful of lines can say billions."""


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: what looks like a date stays text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read_files(paths: Iterable[str], standard_input: str = "") -> Iterator[Document]:
    """All documents of all files in order; `-` is the text of the standard input."""
    for path in paths:
        try:
            text = standard_input if path == "-" else Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is no UTF-8 text"
            yield Document(Source(path, 1), error=f"cannot be read: {reason}; name a readable file")
            continue
        yield from read_text(text, "standard input" if path == "-" else path)


def read_text(text: str, name: str) -> Iterator[Document]:
    """The documents of one text; those of a List one by one."""
    stripped = text.lstrip()
    documents = _json(text, name) if stripped.startswith("{") else None
    for document in documents if documents is not None else _yaml(text, name):
        yield from _unfold(document)


def _json(text: str, name: str) -> list[Document] | None:
    """JSON values one after the other, on a line each or not; None where there is not one (YAML flow style begins alike)."""
    decoder = json.JSONDecoder()
    found: list[Document] = []
    position = _next_value(text, 0)
    while position < len(text):
        source = Source(name, len(found) + 1)
        try:
            value, position = decoder.raw_decode(text, position)
            found.append(Document(source, value))
        except (ValueError, RecursionError) as error:
            found.append(Document(source, error=f"is no JSON: {_one_line(error)}; write one object after the other"))
            line_end = text.find("\n", position)
            position = len(text) if line_end < 0 else line_end
        position = _next_value(text, position)
    return found if any(not document.error for document in found) else None


def _next_value(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _yaml(text: str, name: str) -> Iterator[Document]:
    """Document by document, so that a syntax error ends with the document it is in."""
    number = 0
    for part in _split(text):
        source = Source(name, number + 1)
        try:
            values = [_plain(value) for value in yaml.load_all(part, Loader=_Loader)]
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            number += 1
            yield Document(source, error=f"is no YAML: {_one_line(error)}")
            continue
        for value in values:
            if value is None:  # an empty document, as between two separators
                continue
            number += 1
            yield Document(Source(name, number), value)


def _plain(value: Any) -> Any:
    """The JSON value of a YAML document. Raises ValueError for what JSON does not know."""
    left = _MAX_VALUES

    def plain(item: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError(f"more than {_MAX_VALUES} values; write the aliases out or split the file")
        if isinstance(item, dict):
            return {_key(key): plain(child) for key, child in item.items()}
        if isinstance(item, list):
            return [plain(child) for child in item]
        if item is None or isinstance(item, str | int | float):
            return item
        raise ValueError(f"a value of type {type(item).__name__} has no place in a manifest; write text or a number")

    return plain(value)


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


def _split(text: str) -> Iterator[str]:
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("---") and line[3:4] in ("", " ", "\t", "\n", "\r"):
            yield "".join(lines)
            lines = [line[3:]]
        else:
            lines.append(line)
    yield "".join(lines)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _unfold(document: Document) -> Iterator[Document]:
    value = document.value
    if document.error or not isinstance(value, dict) or not str(value.get("kind", "")).endswith("List"):
        yield document
        return
    items = value.get("items")
    if not isinstance(items, list):
        yield Document(document.source, error="items: is no list; a List has its objects there")
        return
    for index, item in enumerate(items, start=1):
        yield Document(Source(document.source.file, document.source.number, index), item)
