"""The soft terms of a placement, one class per file: what makes one placement better than another of the same price."""

from __future__ import annotations

from typing import Final

from extender.binpacking.soft.company import Company
from extender.binpacking.soft.hops import ZoneHops
from extender.binpacking.soft.images import Images
from extender.binpacking.soft.load import Load
from extender.binpacking.soft.preferences import Preferences
from extender.binpacking.soft.spread import SoftSpread
from extender.binpacking.soft.term import SoftTerm

SOFT_TERMS: Final[tuple[SoftTerm, ...]] = (Load(), Images(), ZoneHops(), Preferences(), SoftSpread(), Company())
