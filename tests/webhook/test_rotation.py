"""The rotation's reads and writes, against a store with optimistic locking, and its loop, without waiting."""

import asyncio
import base64
import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from stowplan.kube.client import ApiClient, Param, PatchType
from stowplan.kube.connection import Connection
from stowplan.kube.errors import Conflict, NotFound, Unreachable
from stowplan.serving.certificates import needs_renewal
from webhook.rotation import Rotation, RotationLoop, RotationSettings, main

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECRETS = "/api/v1/namespaces/stowplan-system/secrets"
CONFIGURATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/stowplan"


class Store(ApiClient):
    """Objects by path. `before_write` is called once, before the next write: what a rival does in between."""

    def __init__(self) -> None:
        super().__init__(Connection("http://store"))
        self.objects: dict[str, Any] = {}
        self.writes: list[str] = []
        self.before_write: Any = None

    async def get(self, path: str, **_: Param) -> Any:
        """A copy."""
        if path not in self.objects:
            raise NotFound(404, "NotFound", path)
        return copy.deepcopy(self.objects[path])

    async def create(self, path: str, body: Any, **_: Param) -> Any:
        """Refused where there is one."""
        target = f"{path}/{body['metadata']['name']}"
        self._rival()
        if target in self.objects:
            raise Conflict(409, "AlreadyExists", target)
        self._put(target, body)

    async def replace(self, path: str, body: Any, **_: Param) -> Any:
        """Refused for a stale version."""
        self._rival()
        self._check(path, body)
        self._put(path, body)

    async def patch(self, path: str, body: Any, content_type: PatchType = "merge-patch", **params: Param) -> Any:
        """A strategic merge by the names of the webhooks."""
        assert (content_type, params["fieldManager"]) == ("strategic-merge-patch", "stowplan-rotation")
        self._rival()
        self._check(path, body)
        merged = copy.deepcopy(self.objects[path])
        for webhook, change in zip(merged["webhooks"], body["webhooks"], strict=True):
            assert webhook["name"] == change["name"]
            webhook["clientConfig"].update(change["clientConfig"])
        self._put(path, merged)

    def configure(self) -> None:
        """A configuration as applied from the manifests: without a bundle."""
        service = {"service": {"name": "stowplan-webhook", "namespace": "stowplan-system"}}
        self._put(
            CONFIGURATION, {"metadata": {"name": "stowplan"}, "webhooks": [{"name": "w", "clientConfig": service}]}
        )
        self.writes.clear()

    def _rival(self) -> None:
        rival, self.before_write = self.before_write, None
        if rival:
            rival()

    def _check(self, path: str, body: Any) -> None:
        if body["metadata"]["resourceVersion"] != self.objects[path]["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", path)

    def _put(self, path: str, body: Any) -> None:
        self.writes.append(path.rsplit("/", 1)[-1])
        version = str(
            int(self.objects.get(path, {"metadata": {"resourceVersion": "0"}})["metadata"]["resourceVersion"]) + 1
        )
        self.objects[path] = {**body, "metadata": {**body["metadata"], "resourceVersion": version}}

    def data(self, secret: str, key: str) -> bytes:
        """A value of a Secret."""
        return base64.b64decode(self.objects[f"{SECRETS}/{secret}"]["data"][key])

    def bundle(self) -> bytes:
        """What the configuration trusts."""
        return base64.b64decode(self.objects[CONFIGURATION]["webhooks"][0]["clientConfig"]["caBundle"])


@pytest.fixture
def store() -> Store:
    filled = Store()
    filled.configure()
    return filled


def rotation(store: Store, now: datetime = NOW) -> Rotation:
    return Rotation(store, RotationSettings(), lambda: now)


async def test_the_bundle_is_written_before_the_leaf_that_needs_it(store: Store) -> None:
    written, _ = await rotation(store).reconcile()

    assert written == ["ca", "bundle", "leaf"]
    assert store.writes == ["stowplan-ca", "stowplan", "stowplan-webhook-tls"]


async def test_the_mounted_secret_holds_leaf_key_and_signer_but_not_the_key_of_the_ca(store: Store) -> None:
    await rotation(store).reconcile()

    leaf = store.objects[f"{SECRETS}/stowplan-webhook-tls"]
    assert leaf["type"] == "kubernetes.io/tls"
    assert set(leaf["data"]) == {"tls.crt", "tls.key", "ca.crt"}
    assert store.data("stowplan-webhook-tls", "tls.key") != store.data("stowplan-ca", "tls.key")
    assert not needs_renewal(
        store.data("stowplan-webhook-tls", "tls.crt"),
        store.bundle(),
        NOW,
        names=["stowplan-webhook.stowplan-system.svc"],
    )


async def test_a_second_look_writes_nothing(store: Store) -> None:
    await rotation(store).reconcile()
    store.writes.clear()

    written, _ = await rotation(store, NOW + timedelta(days=1)).reconcile()

    assert (written, store.writes) == ([], [])


async def test_only_the_bundle_of_a_configuration_is_touched(store: Store) -> None:
    await rotation(store).reconcile()

    client = store.objects[CONFIGURATION]["webhooks"][0]["clientConfig"]
    assert client["service"] == {"name": "stowplan-webhook", "namespace": "stowplan-system"}


async def test_without_a_configuration_there_are_certificates_already_and_the_bundle_follows() -> None:
    store = Store()
    first, _ = await rotation(store).reconcile()
    store.configure()

    second, _ = await rotation(store).reconcile()

    assert (first, second) == (["ca", "leaf"], ["bundle"])


async def test_an_overwritten_bundle_and_a_deleted_leaf_are_made_good(store: Store) -> None:
    _, before = await rotation(store).reconcile()
    store.configure()
    del store.objects[f"{SECRETS}/stowplan-webhook-tls"]

    written, after = await rotation(store).reconcile()

    assert written == ["bundle", "leaf"]
    assert after.ca == before.ca


async def test_unreadable_values_are_replaced(store: Store) -> None:
    await rotation(store).reconcile()
    store.objects[f"{SECRETS}/stowplan-ca"]["data"]["tls.crt"] = "not base64!"
    store.objects[f"{SECRETS}/stowplan-webhook-tls"]["data"] = None
    store.objects[CONFIGURATION]["webhooks"][0]["clientConfig"]["caBundle"] = "Cg=="

    written, _ = await rotation(store).reconcile()

    assert written == ["ca", "bundle", "leaf"]


async def test_a_write_that_lost_a_race_is_an_error_and_the_next_look_adopts_what_is_there(store: Store) -> None:
    winner = Store()
    winner.configure()
    await rotation(winner).reconcile()

    def other_wins() -> None:
        store.objects.update(copy.deepcopy(winner.objects))

    store.before_write = other_wins
    with pytest.raises(Conflict):
        await rotation(store).reconcile()
    written, _ = await rotation(store).reconcile()

    assert written == []
    assert store.bundle() == winner.bundle()


async def run_loop(store: Store, looks: int, registry: CollectorRegistry) -> tuple[RotationLoop, list[float]]:
    """Run the loop for a number of looks; returns it and the pauses it made."""
    pauses: list[float] = []
    done = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == looks:
            done.set()
            await asyncio.Event().wait()

    loop = RotationLoop(rotation(store), 60.0, registry, sleep, jitter=lambda: 0.5)
    task = asyncio.create_task(loop.run())
    await done.wait()
    task.cancel()
    return loop, pauses


async def test_the_loop_tells_how_it_went(store: Store) -> None:
    registry = CollectorRegistry()

    loop, pauses = await run_loop(store, 2, registry)

    # jitter 0.5 is the middle: 60 s times (0.9 + 0.2 * 0.5) = 60 s
    assert (loop.healthy, pauses) == (True, [60.0, 60.0])
    assert registry.get_sample_value("stowplan_rotation_looks_total", {"result": "ok"}) == 2
    assert registry.get_sample_value("stowplan_rotation_writes_total", {"object": "leaf"}) == 1
    end = (NOW + timedelta(days=365)).timestamp()
    assert registry.get_sample_value("stowplan_rotation_expiry_timestamp_seconds", {"certificate": "leaf"}) == end


async def test_a_failed_look_is_repeated_soon(store: Store) -> None:
    registry = CollectorRegistry()

    def unreachable() -> None:
        raise Unreachable("gone")

    store.before_write = unreachable
    loop, pauses = await run_loop(store, 2, registry)

    assert (loop.healthy, pauses) == (True, [6.0, 60.0])
    assert registry.get_sample_value("stowplan_rotation_looks_total", {"result": "error"}) == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--interval-seconds", "0"], "give at least 0.1 seconds"),
        (["--kubeconfig", "/nonexistent"], "kubeconfig /nonexistent"),
    ],
    ids=["interval", "kubeconfig"],
)
def test_settings_that_make_no_sense_end_the_start(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)

    assert main(argv) == 2
    assert message in capsys.readouterr().err
