"""The certificate made for sandboxes, and the switch that asks for it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stowplan.serving.certificates import needs_renewal
from webhook.__main__ import main, spell_out_switches
from webhook.self_signed import ensure_self_signed

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_pair_is_made_once_and_again_when_it_ends(tmp_path: Path) -> None:
    folder = tmp_path / "tls"

    ensure_self_signed(folder, "127.0.0.1", _NOW)
    first = _files(folder)
    ensure_self_signed(folder, "127.0.0.1", _NOW + timedelta(days=30))
    kept = _files(folder)
    ensure_self_signed(folder, "127.0.0.1", _NOW + timedelta(days=364))
    renewed = _files(folder)

    assert set(first) == {"ca.crt", "tls.crt", "tls.key"}  # the CA's key is nowhere
    assert kept == first
    assert renewed != first
    assert not needs_renewal(
        first["tls.crt"], first["ca.crt"], _NOW, names=["127.0.0.1", "stowplan-webhook.stowplan-system.svc"]
    )
    assert (folder / "tls.key").stat().st_mode & 0o077 == 0


def test_a_half_made_folder_is_completed(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("left over", encoding="utf-8")

    ensure_self_signed(tmp_path, "10.0.0.7", _NOW)

    files = _files(tmp_path)
    assert not needs_renewal(files["tls.crt"], files["ca.crt"], _NOW, names=["10.0.0.7"])


def test_the_switch_needs_no_value() -> None:
    assert spell_out_switches(["--self-signed", "--port", "1"]) == ["--self-signed", "true", "--port", "1"]
    assert spell_out_switches(["--self-signed"]) == ["--self-signed", "true"]
    assert spell_out_switches(["--self-signed", "false"]) == ["--self-signed", "false"]


def test_settings_that_make_no_sense_end_the_start(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--port", "99999"]) == 2
    assert "--port" in capsys.readouterr().err
    assert main(["--kubeconfig", str(tmp_path / "absent")]) == 2
    assert "absent" in capsys.readouterr().err
