"""The size table: what `stowplan.dev/size` and cold start mean in millicores and bytes.

`m/general` equals GKE Autopilot's default; from `s` up, general and cpu shapes are legal Fargate pairs (`docs/reference/classes.md`).
"""

from typing import Final

from stowplan.model.workload_class import Shape, Size

_GIB: Final = 2**30
_CPU: Final[dict[Size, int]] = {
    Size.XS: 100,
    Size.S: 250,
    Size.M: 500,
    Size.L: 1_000,
    Size.XL: 2_000,
    Size.XXL: 4_000,
    Size.X4L: 8_000,
    Size.X8L: 16_000,
}
_GIB_PER_CPU: Final = {Shape.GENERAL: 4, Shape.CPU: 2, Shape.MEMORY: 8}
_XS_MEMORY: Final = {Shape.GENERAL: 384 * 2**20, Shape.CPU: 192 * 2**20, Shape.MEMORY: 768 * 2**20}


def named_size(size: Size, shape: Shape) -> tuple[int, int]:
    """CPU in millicores and memory in bytes of a named size.

    `xs` is rounded to 384 Mi (the exact ratio would give 409.6 Mi).

    Raises:
        ValueError: `auto` names no size.
    """
    if size is Size.AUTO:
        raise ValueError("size auto names no amount; use the class's cold-start size or a recommendation")
    cpu = _CPU[size]
    memory = _XS_MEMORY[shape] if size is Size.XS else cpu * _GIB_PER_CPU[shape] * _GIB // 1000
    return cpu, memory
