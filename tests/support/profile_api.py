"""WorkloadProfiles in memory, behind the calls that `recommender.live.profile_store` makes."""

from __future__ import annotations

from typing import Any

from stowplan.kube.errors import Conflict, KubeError, NotFound


class ProfileApi:
    """Objects by path. `fails` makes the next writes fail; `log` has what was called."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.fails: list[KubeError] = []
        self.gone: set[str] = set()
        """Namespaces in which nothing can be made."""
        self.log: list[str] = []

    async def get(self, path: str, **params: Any) -> Any:
        """One page of two objects."""
        self.log.append(f"GET {path}")
        start = int(params.get("continue") or 0)
        page = list(self.objects.values())[start : start + 2]
        more = str(start + 2) if start + 2 < len(self.objects) else ""
        return {"metadata": {"continue": more}, "items": page}

    async def create(self, path: str, body: Any) -> Any:
        """A new object; its status is dropped, as a subresource's is."""
        self._called("POST", path)
        place = f"{path}/{body['metadata']['name']}"
        if body["metadata"]["namespace"] in self.gone:
            raise NotFound(404, "NotFound", "namespace is gone")
        if place in self.objects:
            raise Conflict(409, "AlreadyExists", place)
        self.objects[place] = {key: value for key, value in body.items() if key != "status"}
        return body

    async def patch(self, path: str, body: Any, content_type: str) -> Any:
        """The whole status."""
        self._called("PATCH", path)
        assert content_type == "json-patch"
        place = path.removesuffix("/status")
        if place not in self.objects:
            raise NotFound(404, "NotFound", place)
        (operation,) = body
        assert (operation["op"], operation["path"]) == ("add", "/status")
        self.objects[place]["status"] = operation["value"]
        return self.objects[place]

    async def delete(self, path: str) -> Any:
        """An object."""
        self._called("DELETE", path)
        if self.objects.pop(path, None) is None:
            raise NotFound(404, "NotFound", path)

    def _called(self, method: str, path: str) -> None:
        self.log.append(f"{method} {path}")
        if self.fails:
            raise self.fails.pop(0)
