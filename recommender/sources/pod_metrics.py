"""The wire format of metrics.k8s.io/v1beta1 PodMetricsList, decoded straight into samples' values."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Final

import msgspec

from stowplan.model.quantity import QuantityError, parse_quantity


class Usage(msgspec.Struct, gc=False, frozen=True):
    """`usage` of a container; quantities as the server wrote them."""

    cpu: str = ""
    memory: str = ""


class ContainerMetrics(msgspec.Struct, gc=False):
    """One container."""

    name: str
    usage: Usage = Usage()


class Meta(msgspec.Struct, gc=False):
    """`metadata` of the pod."""

    name: str
    namespace: str = ""


class PodMetrics(msgspec.Struct):
    """One pod."""

    metadata: Meta
    timestamp: datetime
    window: str
    containers: list[ContainerMetrics] | None = None


class PodMetricsList(msgspec.Struct):
    """The whole list; an aggregated API does not paginate it."""

    items: list[msgspec.Raw] | None = None


LIST: Final = msgspec.json.Decoder(PodMetricsList)
POD: Final = msgspec.json.Decoder(PodMetrics)

_DURATION: Final = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNIT_S: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_CPU_SCALE: Final = {"n": 1e-6, "u": 1e-3, "m": 1.0}
"""Millicores in a unit of the suffix."""
_MEMORY_SCALE: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def millicores(text: str) -> float:
    """CPU as metrics-server writes it (`1234567n`), or any other quantity.

    Raises:
        QuantityError: no quantity.
    """
    scale = _CPU_SCALE.get(text[-1:])
    if scale is not None and (digits := text[:-1]).isdecimal() and digits.isascii():
        return int(digits) * scale
    return float(parse_quantity(text)) * 1000


def memory_bytes(text: str) -> float:
    """Memory as metrics-server writes it (`1234Ki`), or any other quantity; NaN where there is none.

    Raises:
        QuantityError: no quantity.
    """
    if not text:
        return math.nan
    scale = _MEMORY_SCALE.get(text[-2:])
    if scale is not None and (digits := text[:-2]).isdecimal() and digits.isascii():
        return float(int(digits) * scale)
    return float(parse_quantity(text))


def duration_s(text: str) -> float:
    """Seconds of a Go duration such as `15.2s` or `1m0.5s`.

    Raises:
        QuantityError: no such duration.
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(parts) != text:
        raise QuantityError(f"window {text[:40]!r} is not a duration; it should look like 15.2s or 1m0s")
    return sum(_seconds(part) for part in parts)


def _seconds(part: str) -> float:
    unit = part.lstrip("0123456789.")
    return float(part.removesuffix(unit)) * _UNIT_S[unit]
