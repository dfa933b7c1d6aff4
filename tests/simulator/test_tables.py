"""Tables: defaults, gzip, and errors that name file, line and column."""

import gzip
from pathlib import Path

import pytest

from simulator.tables import TableError, read_nodes, read_pods

NODES = "name,cpu_millicores,memory_mib,gpu_count,gpu_model,zone,price_per_hour,capacity_type,max_pods\n"


def table(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_every_column_of_nodes(tmp_path: Path) -> None:
    (node,) = read_nodes(table(tmp_path, NODES + "n1,4000,16384,2,T4,zone-a,0.526,spot,58\n"))

    assert (node.name, node.cpu_millicores, node.memory_bytes) == ("n1", 4000, 16384 * 2**20)
    assert (node.gpu_count, node.gpu_model, node.zone) == (2, "T4", "zone-a")
    assert (node.price_micro_usd_per_hour, node.capacity_type, node.max_pods) == (526_000, "spot", 58)


def test_a_node_without_price_is_priced_by_what_it_offers(tmp_path: Path) -> None:
    (node,) = read_nodes(table(tmp_path, "name,cpu_millicores,memory_mib\nn1,2000,1024\n"))

    # OpenCost: 2 x 0.031611 + 1 x 0.004237 dollars
    assert node.price_micro_usd_per_hour == 63_222 + 4_237
    assert (node.gpu_count, node.zone, node.capacity_type, node.max_pods) == (0, "", "on-demand", 110)


def test_reads_every_column_of_gzipped_pods_in_order_of_arrival(tmp_path: Path) -> None:
    path = tmp_path / "pods.csv.gz"
    path.write_bytes(
        gzip.compress(
            b"name,owner,namespace,class,cpu_millicores,memory_mib,gpu_count,gpu_milli,gpu_models,max_per_node,arrival_s,departure_s\n"
            b"late,web,shop,standard,500,256,1,460,T4|A10,2,60,90\n"
            b"early,job,shop,batch,1000,512,2,,,0,0,\n"
        )
    )

    pods, timed = read_pods(path)

    assert timed
    assert [pod.name for pod in pods] == ["early", "late"]
    assert (pods[0].shape.gpu_count, pods[0].shape.gpu_milli, pods[0].departure_s) == (2, 1000, None)
    late = pods[1]
    assert (late.owner, late.namespace, late.workload_class, late.max_per_node) == ("web", "shop", "standard", 2)
    assert (late.shape.gpu_milli, late.shape.gpu_models, late.departure_s) == (460, ("A10", "T4"), 90)


def test_pods_without_times_keep_the_order_of_the_rows(tmp_path: Path) -> None:
    pods, timed = read_pods(table(tmp_path, "name,cpu_millicores,memory_mib\nb,1,1\na,1,1\n"))

    assert not timed
    assert [pod.name for pod in pods] == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,cpu_millicores,memory_mib\na,x,1\n", r"table.csv:2: column 'cpu_millicores' is 'x'; .* whole number"),
        ("name,cpu_millicores,memory_mib\na,1,1\nb,-1,1\n", r":3: column 'cpu_millicores' is '-1'"),
        ("name,cpu_millicores,memory_mib\na,1,1\na,1,1\n", r":3: column 'name' is 'a'; it comes twice"),
        ("name,cpu_millicores,memory_mib\n,1,1\n", r":2: column 'name' is ''; give it a name"),
        ("name,cpu_millicores\na,1\n", r":1: column 'memory_mib' is missing"),
        ("name,cpu_millicores,memory_mib,ram\na,1,1,1\n", r":1: column 'ram' is unknown; the columns are name"),
        ("name,cpu_millicores,memory_mib\na,1\n", r":2: 2 fields under 3 columns"),
        ("name,cpu_millicores,memory_mib,arrival_s,departure_s\na,1,1,9,8\n", r"'departure_s' is '8'; .* arrival_s, 9"),
        ("name,cpu_millicores,memory_mib,gpu_count,gpu_milli\na,1,1,2,500\n", r"'gpu_milli' is '500'; a pod with 2"),
        ("name,cpu_millicores,memory_mib,gpu_milli\na,1,1,500\n", r"'gpu_milli' is '500'; gpu_count is 0"),
        ("name,cpu_millicores,memory_mib,gpu_count,gpu_milli\na,1,1,1,0\n", r"'gpu_milli' is '0'; a pod with a GPU"),
        ('name,cpu_millicores,memory_mib\n"a,1,1\n', r"this is no CSV"),
        ("", r":1: column 'name' is missing"),
    ],
)
def test_a_pod_row_that_makes_no_sense_names_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_pods(table(tmp_path, text))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("n,0,1,0,,,,,\n", "'cpu_millicores' is '0'"),
        ("n,1,1,0,,,free,,\n", "'price_per_hour' is 'free'; it must be dollars an hour"),
        ("n,1,1,0,,,,cheap,\n", "'capacity_type' is 'cheap'; it must be one of on-demand"),
        ("n,1,1,0,,,,,0\n", "'max_pods' is '0'"),
        ("", "there is no node"),
    ],
)
def test_a_node_row_that_makes_no_sense_is_an_error(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_nodes(table(tmp_path, NODES + row))


def test_broken_gzip_and_text_that_is_not_utf8_are_errors(tmp_path: Path) -> None:
    broken, latin = tmp_path / "pods.csv.gz", tmp_path / "latin.csv"
    broken.write_bytes(gzip.compress(b"name,cpu_millicores,memory_mib\na,1,1\n")[:-4])
    latin.write_bytes(b"name,cpu_millicores,memory_mib\n\xe9,1,1\n")

    with pytest.raises(TableError, match="gzip data is broken"):
        read_pods(broken)
    with pytest.raises(TableError, match="byte 31 is not UTF-8"):
        read_pods(latin)
