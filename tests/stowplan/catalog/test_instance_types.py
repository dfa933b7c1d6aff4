"""The catalog is read completely, checked strictly, and its figures are plausible."""

import io

import pytest

from stowplan.catalog import load_catalog, price_of
from stowplan.catalog.instance_types import read_catalog

HEADER = (
    "name,family,cpu_millicores,memory_bytes,gpu_count,gpu_model,arch,max_pods,"
    "allocatable_cpu_millicores,allocatable_memory_bytes,price_micro_usd_per_hour\n"
)
ROW = "t.small,t,2000,1024,0,,amd64,8,1900,900,20000\n"


def test_a_known_type_has_its_published_shape_and_price() -> None:
    m5_large = load_catalog()["m5.large"]

    # AWS list: 2 vCPU, 8 GiB, $0.096 an hour; Karpenter: 29 pods, 1930m and 6903 MiB left for pods.
    assert m5_large.cpu_millicores == 2_000
    assert m5_large.memory_bytes == 8 * 1024**3
    assert m5_large.price_micro_usd_per_hour == 96_000
    assert m5_large.max_pods == 29
    assert m5_large.allocatable_cpu_millicores == 1_930
    assert m5_large.allocatable_memory_bytes == 6_903 * 1024**2


def test_gpu_types_name_their_gpus() -> None:
    p4d = load_catalog()["p4d.24xlarge"]

    assert (p4d.gpu_count, p4d.gpu_model) == (8, "A100")


def test_price_of_an_unknown_type_is_none() -> None:
    assert price_of("m5.large") == 96_000
    assert price_of("abacus.large") is None


def test_allocatable_never_exceeds_the_nominal_size() -> None:
    catalog = load_catalog()

    assert len(catalog) > 70
    for name, instance_type in catalog.items():
        assert instance_type.name == name
        assert instance_type.family == name.partition(".")[0]
        assert 0 < instance_type.allocatable_cpu_millicores < instance_type.cpu_millicores
        assert 0 < instance_type.allocatable_memory_bytes < instance_type.memory_bytes
        assert (instance_type.gpu_count > 0) == bool(instance_type.gpu_model)


def test_a_table_is_read_row_by_row() -> None:
    catalog = read_catalog(io.StringIO(HEADER + ROW))

    assert list(catalog) == ["t.small"]
    assert catalog["t.small"].price_micro_usd_per_hour == 20_000


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name,family\n", r"column 'cpu_millicores' is missing"),
        (HEADER + ROW + ROW, r":3: name 't.small' comes twice"),
        (HEADER + ROW.replace("2000", "2.0", 1), r":2: cpu_millicores is '2.0'"),
        (HEADER + ROW.replace(",8,", ",0,"), r":2: max_pods is '0'"),
        (HEADER + ROW.replace("amd64", ""), r":2: arch is empty"),
        (HEADER + "t.small,t\n", r":2: cpu_millicores is ''"),
    ],
    ids=["column missing", "twice", "no integer", "zero", "empty text", "short row"],
)
def test_a_senseless_row_is_an_error_with_its_place(table: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_catalog(io.StringIO(table))
