"""JSON Patch as we write it, held against another implementation."""

import copy
from typing import Any

import jsonpatch
import jsonpointer
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webhook.json_patch import OperationError, apply, copy_json, diff

_VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "a/b", "m~n", ""]), inner, max_size=4)
    ),
    max_leaves=12,
)
_OBJECTS = st.dictionaries(st.sampled_from(["x", "y/z", "~"]), _VALUES, max_size=3)


@given(_OBJECTS, _OBJECTS)
def test_the_diff_of_any_two_objects_applies(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert jsonpatch.apply_patch(before, list(diff(before, after))) == after


@given(_OBJECTS)
def test_equal_objects_have_no_diff_and_a_copy_shares_nothing(value: dict[str, Any]) -> None:
    copied = copy_json(value)

    assert list(diff(value, copied)) == []
    assert copied == value
    assert copied is not value


@given(_OBJECTS, _OBJECTS)
def test_our_own_application_of_a_diff_gives_the_same_and_changes_nothing(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    kept = copy.deepcopy(before)

    assert apply(before, list(diff(before, after))) == after
    assert before == kept


_PARTS = st.sampled_from(["x", "y~1z", "~0", "a", "a~1b", "0", "1", "2", "-", "01", ""])
_PATHS = st.lists(_PARTS, min_size=1, max_size=3).map(lambda parts: "".join(f"/{part}" for part in parts))
_OPERATIONS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"op": st.sampled_from(["add", "replace"]), "path": _PATHS, "value": _VALUES}),
        st.fixed_dictionaries({"op": st.just("remove"), "path": _PATHS}),
    ),
    min_size=1,
    max_size=4,
)


@given(_OBJECTS, _OPERATIONS)
@example({"x": [1]}, [{"op": "add", "path": "/x/-", "value": 2}, {"op": "remove", "path": "/x/0"}])
@example({}, [{"op": "add", "path": "/x", "value": {}}, {"op": "add", "path": "/x/a", "value": 1}])
def test_any_operations_do_what_another_implementation_does(
    document: dict[str, Any], operations: list[dict[str, Any]]
) -> None:
    kept, values = copy.deepcopy(document), copy.deepcopy(operations)
    try:
        expected = jsonpatch.apply_patch(document, values)
    except (
        jsonpatch.JsonPatchException,
        jsonpointer.JsonPointerException,
        TypeError,
    ):  # a part of a number is a TypeError there
        with pytest.raises(OperationError):
            apply(document, operations)
    else:
        assert apply(document, operations) == expected
    assert document == kept
    assert operations == values


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "x", "value": 1},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "/absent", "value": 1},
        {"op": "add", "path": "/text/0", "value": 1},
        {"op": "add", "path": "/list/9", "value": 1},
        {"op": "replace", "path": "/list/-", "value": 1},
        {"op": "test", "path": "/text", "value": "t"},
        {"op": "move", "path": "/text", "from": "/list"},
    ],
)
def test_what_does_not_apply_is_an_error_that_names_it(operation: dict[str, Any]) -> None:
    with pytest.raises(OperationError, match=f"{operation['op']} '{operation['path']}'"):
        apply({"text": "t", "list": [1]}, [operation])


def test_a_new_document() -> None:
    assert apply({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}]) == {"b": 2}


def test_what_is_not_changed_is_shared() -> None:
    document: dict[str, Any] = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "x", "env": ["much"]}]},
    }

    changed = apply(document, [{"op": "add", "path": "/spec/containers/0/resources", "value": {}}])

    assert changed["metadata"] is document["metadata"]
    assert changed["spec"]["containers"][0]["env"] is document["spec"]["containers"][0]["env"]
