"""What comes before and after a burst."""

from __future__ import annotations

from typing import Any

from perf.throughput.burst import remove_pods
from stowplan.kube.errors import NotFound, Unreachable


class Api:
    """A namespace of pods, in which the first two deletions go wrong."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.asked: list[str] = []
        self.errors = [NotFound(404, "NotFound", "gone already"), Unreachable("no answer")]

    async def list(self, path: str) -> tuple[list[dict[str, Any]], str]:
        """What is left."""
        assert path == "/api/v1/namespaces/throughput/pods"
        return [{"metadata": {"name": name}} for name in self.names], "1"

    async def delete(self, path: str, body: dict[str, int]) -> None:
        """One pod, without its grace."""
        assert body == {"gracePeriodSeconds": 0}
        name = path.rpartition("/")[2]
        self.asked.append(name)
        if self.errors:
            error = self.errors.pop(0)
            if isinstance(error, NotFound):
                self.names.remove(name)
            raise error
        self.names.remove(name)


async def test_pods_are_removed_until_none_is_left() -> None:
    api = Api("a", "b", "c")
    await remove_pods(api)  # type: ignore[arg-type]  # what is asked of it
    assert api.names == []
    assert api.asked == ["a", "b", "c", "b"]  # b was not reached at first
