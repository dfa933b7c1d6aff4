"""Prometheus is fetched once, without installing it, and taken from PATH where it cannot be fetched."""

from pathlib import Path

import pytest

from sandbox.errors import BuildError
from sandbox.prometheus import ensure_prometheus

APT = """#!/bin/sh
echo "$1" >> "{home}/apt-calls"
case "$1" in
update) touch "{home}/updated" ;;
download) {condition} && touch prometheus_1.deb ;;
esac
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/bin" && touch "$3/usr/bin/prometheus" "$3/usr/bin/promtool"
"""


def environment(home: Path, condition: str | None) -> dict[str, str]:
    """A PATH with a package system whose downloads work under a condition; without any when None."""
    programs = home / "bin"
    programs.mkdir()
    if condition is not None:
        for name, text in (("apt-get", APT.format(home=home, condition=condition)), ("dpkg-deb", DPKG)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
    return {"PATH": f"{programs}:/usr/bin:/bin" if condition else str(programs), "XDG_CACHE_HOME": str(home / "cache")}


def calls(home: Path) -> list[str]:
    return (home / "apt-calls").read_text().split()


def test_it_is_downloaded_once(tmp_path: Path) -> None:
    variables = environment(tmp_path, "true")
    programs = ensure_prometheus(variables)
    assert programs.prometheus.exists()
    assert programs.promtool == tmp_path / "cache" / "stowplan" / "prometheus" / "promtool"
    assert ensure_prometheus(variables) == programs
    assert calls(tmp_path) == ["download"]
    assert [path.name for path in (tmp_path / "cache" / "stowplan").iterdir()] == ["prometheus"]


def test_a_fresh_machine_has_its_lists_updated(tmp_path: Path) -> None:
    ensure_prometheus(environment(tmp_path, f'[ -e "{tmp_path}/updated" ]'))
    assert calls(tmp_path) == ["download", "update", "download"]


def test_one_on_path_serves_where_there_is_no_package(tmp_path: Path) -> None:
    variables = environment(tmp_path, None)
    for name in ("prometheus", "promtool"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / name).chmod(0o755)
    assert ensure_prometheus(variables).prometheus == tmp_path / "bin" / "prometheus"


def test_without_any_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="put it on PATH"):
        ensure_prometheus(environment(tmp_path, None))
