"""Quantities: the grammar of k8s.io/apimachinery, exact values, rounding up, canonical printing."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stowplan.model.quantity import (
    MAX_AMOUNT,
    QuantityError,
    format_amount,
    format_bytes,
    format_cpu,
    parse_amount,
    parse_bytes,
    parse_cpu,
    parse_quantity,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", Fraction(0)),
        ("1", Fraction(1)),
        ("+1", Fraction(1)),
        ("-1", Fraction(-1)),
        ("1.", Fraction(1)),
        (".5", Fraction(1, 2)),
        ("0.5", Fraction(1, 2)),
        ("250m", Fraction(1, 4)),
        ("100u", Fraction(1, 10_000)),
        ("1n", Fraction(1, 10**9)),
        ("1k", Fraction(1000)),
        ("1M", Fraction(10**6)),
        ("1G", Fraction(10**9)),
        ("1T", Fraction(10**12)),
        ("1P", Fraction(10**15)),
        ("1E", Fraction(10**18)),  # exa: an E without digits behind it
        ("1E3", Fraction(1000)),  # exponent: an E with digits behind it
        ("1e3", Fraction(1000)),
        ("1e-3", Fraction(1, 1000)),
        ("12E+2", Fraction(1200)),
        ("1Ki", Fraction(1024)),
        ("1.5Gi", Fraction(3 * 2**29)),
        ("1Ei", Fraction(2**60)),
        (2, Fraction(2)),
        (0.1, Fraction(1, 10)),  # the decimal that was written, not the binary float nearest to it
    ],
)
def test_legal_notations_have_exact_values(text: str | float, value: Fraction) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1 Gi",
        "1gi",
        "1K",
        "Gi",
        "1.2.3",
        "--1",
        "1mm",
        "1e",
        "1e1.5",
        "0x10",
        "\u0661",
        "1Kib",
        "nan",
        "inf",
        "9" * 300,
    ],
)
def test_anything_else_is_an_error_that_names_the_value(text: str) -> None:
    with pytest.raises(QuantityError, match="not a Kubernetes quantity"):
        parse_quantity(text)


@pytest.mark.parametrize("value", [True, float("nan"), float("inf")])
def test_json_values_that_are_no_numbers_are_errors(value: float) -> None:
    with pytest.raises(QuantityError):
        parse_quantity(value)


def test_amounts_round_up_so_that_nothing_is_asked_for_less() -> None:
    assert parse_cpu("1u") == 1  # a millionth of a core is at least one millicore
    assert parse_cpu("1.0001") == 1001
    assert parse_bytes("0.5") == 1
    assert parse_bytes("1m") == 1


def test_amounts_are_in_the_resources_own_unit() -> None:
    assert parse_amount("cpu", "1.5") == 1500
    assert parse_amount("memory", "1.5Ki") == 1536
    assert parse_amount("nvidia.com/gpu", "2") == 2


def test_what_int64_cannot_hold_is_capped() -> None:
    assert parse_bytes("1e400") == MAX_AMOUNT
    assert parse_bytes("1e999999999") == MAX_AMOUNT
    assert parse_cpu("1e-999999999") == 1


def test_negative_amounts_are_refused() -> None:
    with pytest.raises(QuantityError, match="memory: quantity '-1Gi' is negative"):
        parse_bytes("-1Gi")


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0"), (1, "1"), (1000, "1000"), (1024, "1Ki"), (1536 * 2**20, "1536Mi"), (2**31, "2Gi"), (2**60, "1Ei")],
)
def test_bytes_print_in_the_largest_exact_unit(amount: int, text: str) -> None:
    assert format_bytes(amount) == text


def test_cpu_prints_as_the_api_server_does() -> None:
    assert [format_cpu(n) for n in (0, 1, 250, 1000, 1500)] == ["0", "1m", "250m", "1", "1500m"]


def test_other_resources_print_as_plain_numbers() -> None:
    assert format_amount("nvidia.com/gpu", 2) == "2"
    assert format_amount("hugepages-2Mi", 2**21) == "2Mi"


@given(st.integers(0, MAX_AMOUNT), st.sampled_from(["cpu", "memory", "nvidia.com/gpu"]))
def test_printing_and_parsing_are_inverse(amount: int, resource: str) -> None:
    printed = format_amount(resource, amount)

    assert parse_amount(resource, printed) == amount


@given(st.text(max_size=20))
def test_parsing_any_text_gives_a_value_or_a_quantity_error(text: str) -> None:
    try:
        value = parse_quantity(text)
    except QuantityError:
        return
    assert isinstance(value, Fraction)
