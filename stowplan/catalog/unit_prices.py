"""What capacity costs where nobody says: OpenCost's defaults (`configs/default.json`), in micro-dollars an hour."""

from typing import Final

CPU_PRICE: Final = 31_611
"""Per core (OpenCost: 0.031611 $/h)."""
MEMORY_PRICE: Final = 4_237
"""Per GiB (OpenCost: 0.004237 $/h)."""
GPU_PRICE: Final = 950_000
"""Per device (OpenCost: 0.95 $/h)."""
SPOT_CPU_PRICE: Final = 6_655
"""Per core of spot capacity (OpenCost: 0.006655 $/h)."""
SPOT_MEMORY_PRICE: Final = 892
"""Per GiB of spot capacity (OpenCost: 0.000892 $/h)."""
