"""The right-sizers that a replay knows, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from recommender.replaying.baselines.autopilot import AutopilotWindow
from recommender.replaying.baselines.krr import KrrSimple
from recommender.replaying.baselines.provisioned import AsProvisioned
from recommender.replaying.baselines.vpa import Vpa
from recommender.replaying.by_class import ByClass
from recommender.replaying.strategy import Strategy
from recommender.replaying.usage import Usage
from stowplan.model.builtin_classes import BUILTIN_CLASSES
from stowplan.model.workload_class import Cost

BASELINES: Final[Mapping[str, Callable[[Usage], Strategy]]] = {
    "provisioned": AsProvisioned,
    "vpa": Vpa,
    "krr": KrrSimple,
    "autopilot": AutopilotWindow,
    "autopilot-batch": partial(AutopilotWindow, batch=True),
}
OURS: Final = "stowplan"
DEFAULT: Final = ("provisioned", "vpa", "krr", "autopilot", *(f"{OURS}/{name}" for name in BUILTIN_CLASSES))


def strategy(name: str, usage: Usage) -> Strategy:
    """The strategy of a name: a baseline, `stowplan/<class>` or `stowplan/<class>/<save|balanced|safe>`.

    Raises:
        ValueError: there is none of that name; the message lists the names.
    """
    if name in BASELINES:
        return BASELINES[name](usage)
    ours, _, rest = name.partition("/")
    wclass, _, cost = rest.partition("/")
    if ours == OURS and wclass in BUILTIN_CLASSES and (not cost or cost in set(Cost)):
        return ByClass(usage, BUILTIN_CLASSES[wclass], Cost(cost) if cost else None)
    known = ", ".join([*BASELINES, *(f"{OURS}/{c}" for c in BUILTIN_CLASSES)])
    raise ValueError(f"strategy {name!r} is not known; use {known}, or add /save, /balanced or /safe to a class")
