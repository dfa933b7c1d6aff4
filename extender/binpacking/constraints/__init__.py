"""The constraints of the bin-packer, one class per file. Each forbids end states; the order of arrival is the validator's business."""

from __future__ import annotations

from typing import Final

from extender.binpacking.constraints.affinity import RequiredAffinity
from extender.binpacking.constraints.anti_affinity import RequiredAntiAffinity
from extender.binpacking.constraints.capacity import Capacity
from extender.binpacking.constraints.constraint import Constraint
from extender.binpacking.constraints.demand import Demand
from extender.binpacking.constraints.device_share import DeviceShares
from extender.binpacking.constraints.gang import AllOrNothing
from extender.binpacking.constraints.host_ports import HostPorts
from extender.binpacking.constraints.replica_limit import ReplicaLimits
from extender.binpacking.constraints.spread import HardSpread

CONSTRAINTS: Final[tuple[Constraint, ...]] = (
    Demand(),
    Capacity(),
    DeviceShares(),
    HostPorts(),
    RequiredAntiAffinity(),
    RequiredAffinity(),
    HardSpread(),
    ReplicaLimits(),
    AllOrNothing(),
)
