"""Environments on a fresh embedded control plane, one per run, gone afterwards."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from demo.cluster import DemoNode
from demo.environment import Environment, Variant
from sandbox import components
from sandbox.control_plane import ControlPlane, SandboxSettings
from sandbox.install import install_stowplan
from sandbox.nodes import create_nodes, node_manifest, wait_ready
from sandbox.probe import healthy, wait_until
from stowplan.catalog import load_catalog
from stowplan.kube.connection import Connection

NAMESPACE = "demo"


@contextmanager
def fresh_environment(variant: Variant, nodes: Sequence[DemoNode], state_dir: Path) -> Iterator[Environment]:
    """A control plane with the nodes Ready and, for stowplan, everything installed; stopped at the end of the block.

    Raises:
        SandboxError: something could not be built or started; the message has the remedy.
    """
    own_scheduler = variant is Variant.MOST_ALLOCATED
    settings = SandboxSettings(state_dir=state_dir, name=f"demo-{variant}", scheduler=not own_scheduler)
    catalog = load_catalog()
    with ControlPlane(settings) as control_plane:
        if own_scheduler:
            start_most_allocated(control_plane)
        manifests = [node_manifest(node.name, catalog[node.instance_type], zone=node.zone) for node in nodes]
        wait_ready(control_plane, create_nodes(control_plane, manifests))
        connection = Connection.from_kubeconfig(control_plane.kubeconfig)
        if not variant.opts_in:
            yield Environment(variant, connection, nodes, NAMESPACE, str(variant))
            return
        installed = install_stowplan(control_plane)
        yield Environment(
            variant,
            connection,
            nodes,
            NAMESPACE,
            str(variant),
            webhook_pages=(installed.webhook_metrics_url,),
            extender_pages=(installed.extender_metrics_url,),
            extender_url=installed.extender_url,
        )


def start_most_allocated(control_plane: ControlPlane) -> None:
    """The default scheduler of the sandbox, with one setting changed: NodeResourcesFit scores MostAllocated."""
    name = "kube-scheduler"
    kubeconfig = control_plane.kubeconfig_for("system:kube-scheduler")
    config = control_plane.state_dir / "most-allocated.yaml"
    config.write_text(most_allocated(components.scheduler_configuration(kubeconfig)), encoding="utf-8")
    port = control_plane.port(name)
    binary = control_plane.bin(name)
    argv = components.kube_scheduler(binary, control_plane.pki, kubeconfig, config, port)
    process = control_plane.start_process(name, argv)
    context = control_plane.pki.ssl_context()
    wait_until(f"{name} ready", lambda: healthy(f"https://127.0.0.1:{port}/healthz", context), process=process)


def most_allocated(stock: str) -> str:
    """A stock KubeSchedulerConfiguration with the scoring strategy changed; equal weights for CPU and memory, as in stock."""
    document = yaml.safe_load(stock)
    resources = [{"name": name, "weight": 1} for name in ("cpu", "memory")]
    fit = {"scoringStrategy": {"type": "MostAllocated", "resources": resources}}
    plugins = [{"name": "NodeResourcesFit", "args": fit}]
    document["profiles"] = [{"schedulerName": "default-scheduler", "pluginConfig": plugins}]
    return yaml.safe_dump(document, sort_keys=False)
