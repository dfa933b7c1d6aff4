"""Fixed heaps of language runtimes, found in a container's environment, command and arguments.

A runtime that was told a heap will use it, whatever memory the container gets, so memory must hold the heap and what comes beside it:
- JVM: `-Xmx` (`-XX:MaxHeapSize`), else `-Xms`; read in the order in which HotSpot lets the later one win: JAVA_TOOL_OPTIONS,
  JDK_JAVA_OPTIONS, the command line (JAVA_OPTS among it: most start scripts expand it there), _JAVA_OPTIONS.
- Go: `GOMEMLIMIT`, a soft limit of all memory that the runtime manages; what cgo and the binary's mappings take comes on top.
- Node.js: `--max-old-space-size` (MiB) in NODE_OPTIONS or, stronger, on the command line; the young generation and buffers come on top.
Flags in percent of the memory follow the size and need no floor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from stowplan.model.quantity import format_bytes


class Runtime(StrEnum):
    """A language runtime, as in the annotation `stowplan.dev/runtime`."""

    JVM = "jvm"
    GO = "go"
    NODE = "node"
    PYTHON = "python"
    """Knows no fixed heap."""
    NATIVE = "native"
    """Knows no fixed heap."""


_PERCENT: Final = {Runtime.JVM: 125, Runtime.GO: 110, Runtime.NODE: 125}
"""Memory in percent of the heap: a JVM's metaspace, code cache, stacks and direct buffers, as in `docs/reference/classes.md`."""
_MIB: Final = 2**20
_SCALE: Final = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_GO_SCALE: Final = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_JVM_HEAP: Final = re.compile(
    r"(?<!\S)[\"']?-(?:Xmx|XX:MaxHeapSize=)([0-9]{1,15})([kmgt]?)(?![\w.])", re.ASCII | re.IGNORECASE
)
_JVM_INITIAL: Final = re.compile(
    r"(?<!\S)[\"']?-(?:Xms|XX:InitialHeapSize=)([0-9]{1,15})([kmgt]?)(?![\w.])", re.ASCII | re.IGNORECASE
)
_GO_LIMIT: Final = re.compile(r"([0-9]{1,18})((?:[KMGT]i)?B)?", re.ASCII)
_NODE_HEAP: Final = re.compile(r"(?<!\S)[\"']?--max[-_]old[-_]space[-_]size[= ]([0-9]{1,9})(?![\w.%])", re.ASCII)
_REFERENCE: Final = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_COMMAND_LINE: Final = ""
_JVM_ORDER: Final = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_OPTS", _COMMAND_LINE, "_JAVA_OPTIONS")
_NODE_ORDER: Final = ("NODE_OPTIONS", _COMMAND_LINE)
_READ: Final = frozenset({*_JVM_ORDER, *_NODE_ORDER, "GOMEMLIMIT"}) - {_COMMAND_LINE}
_MOST_TEXT: Final = 16_384
"""Of one setting: bounds the work that a pod can ask for."""


@dataclass(frozen=True, slots=True)
class Heap:
    """A fixed heap."""

    runtime: Runtime
    bytes: int
    flag: str
    """Where it was found: `-Xmx in JAVA_TOOL_OPTIONS`."""

    @property
    def memory(self) -> int:
        """The least memory of the container, in bytes, whole MiB."""
        exact = -(-self.bytes * _PERCENT[self.runtime] // 100)
        return -(-exact // _MIB) * _MIB

    def as_inputs(self) -> dict[str, str]:
        """For the decision record."""
        return {"runtime": str(self.runtime), "heap": format_bytes(self.bytes), "heapFlag": self.flag}


def find_heaps(container: Mapping[str, Any]) -> tuple[Heap, ...]:
    """The fixed heaps that a container is told, at most one of each runtime. Odd values are passed over, never an error."""
    texts = dict(_texts(container))
    if not texts:
        return ()
    found = (_jvm(texts), _go(texts), _node(texts))
    return tuple(heap for heap in found if heap is not None and heap.bytes > 0)


def heap_for(heaps: tuple[Heap, ...], runtime: Runtime | None) -> Heap | None:
    """The heap that memory must hold: the one of the named runtime, without a name the one that needs most."""
    known = [heap for heap in heaps if runtime in (None, heap.runtime)]
    return max(known, key=lambda heap: heap.memory, default=None)


def _texts(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The settings that runtimes read, by variable; the command line under an empty name."""
    variables: dict[str, str] = {}
    for item in _list(container.get("env")):
        if isinstance(item, dict) and isinstance(item.get("name"), str) and isinstance(item.get("value"), str):
            variables[item["name"]] = item["value"]
    for name in _READ & variables.keys():
        yield name, _expanded(variables[name], variables)
    words = [w for key in ("command", "args") for w in _list(container.get(key)) if isinstance(w, str) and "-" in w]
    if words:
        yield _COMMAND_LINE, _expanded(" ".join(words), variables)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` replaced as the kubelet does; what is unknown stays."""
    text = text[:_MOST_TEXT]
    if "$(" not in text:
        return text
    return _REFERENCE.sub(lambda match: variables.get(match[1], match[0]), text)[:_MOST_TEXT]


def _jvm(texts: Mapping[str, str]) -> Heap | None:
    for pattern, flag in ((_JVM_HEAP, "-Xmx"), (_JVM_INITIAL, "-Xms")):
        last = _last(pattern, texts, _JVM_ORDER)
        if last is not None:
            match, place = last
            return Heap(Runtime.JVM, int(match[1]) * _SCALE[match[2].lower()], f"{flag} in {place}")
    return None


def _go(texts: Mapping[str, str]) -> Heap | None:
    match = _GO_LIMIT.fullmatch(texts.get("GOMEMLIMIT", ""))
    return None if match is None else Heap(Runtime.GO, int(match[1]) * _GO_SCALE[match[2] or ""], "GOMEMLIMIT")


def _node(texts: Mapping[str, str]) -> Heap | None:
    last = _last(_NODE_HEAP, texts, _NODE_ORDER)
    return None if last is None else Heap(Runtime.NODE, int(last[0][1]) * _MIB, f"--max-old-space-size in {last[1]}")


def _last(
    pattern: re.Pattern[str], texts: Mapping[str, str], order: tuple[str, ...]
) -> tuple[re.Match[str], str] | None:
    for name in reversed(order):
        matches = list(pattern.finditer(texts.get(name, "")))
        if matches:
            return matches[-1], name or "the command line"
    return None
