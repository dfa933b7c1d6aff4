"""Reserved ports are free, distinct, held against other sandboxes, and given back."""

import socket
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.ports import FIRST, LAST, PortReservation


def free_ports(count: int) -> list[int]:
    with PortReservation() as reservation:
        return [reservation.reserve() for _ in range(count)]


def test_reserved_ports_are_distinct_and_below_the_ephemeral_range(tmp_path: Path) -> None:
    with PortReservation(tmp_path) as reservation:
        ports = [reservation.reserve() for _ in range(20)]

    assert len(set(ports)) == 20
    assert all(FIRST <= port <= LAST for port in ports)


def test_two_sandboxes_never_get_the_same_port(tmp_path: Path) -> None:
    first, second = free_ports(2)

    with PortReservation(tmp_path, [first, second]) as one, PortReservation(tmp_path, [first, second]) as other:
        assert (one.reserve(), other.reserve()) == (first, second)


def test_a_port_in_use_is_passed_over(tmp_path: Path) -> None:
    used, free = free_ports(2)
    with socket.socket() as server:
        server.bind(("127.0.0.1", used))
        server.listen()

        with PortReservation(tmp_path, [used, free]) as reservation:
            assert reservation.reserve() == free


def test_without_a_free_port_the_remedy_is_named(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with PortReservation(tmp_path, [port]) as reservation:
        reservation.reserve()

        with pytest.raises(SandboxError, match="stop some sandboxes"):
            reservation.reserve()


def test_released_ports_can_be_reserved_again(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with PortReservation(tmp_path, [port]) as reservation:
        reservation.reserve()
        assert list(reservation.held) == [port]
    assert list(reservation.held) == []

    with PortReservation(tmp_path, [port]) as again:
        assert again.reserve() == port
