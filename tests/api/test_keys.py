"""The Idempotency-Key header and the fingerprint of a request."""

import json

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from tests.api.test_strict_json import VALUES
from walletplatform.api.idempotency import fingerprint, idempotency_key
from walletplatform.api.problems import Problem
from walletplatform.api.strict_json import parse


def key_of(header, *, required=True):
    headers = {} if header is None else {"Idempotency-Key": header}
    return idempotency_key(RequestFactory().post("/", headers=headers), required=required)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("a", "a"), ("order-7", "order-7"), ("x" * 255, "x" * 255), ('"order-7"', "order-7"), ("!~", "!~"),
        ('"a,b"', "a,b"), (r'"a\"b"', 'a"b'), ('a"b', 'a"b'), (r'"a\\b"', r"a\b"), (r"a\b", r"a\b"),
        ('"' + "x" * 255 + '"', "x" * 255),
    ],
)  # fmt: skip
def test_a_quoted_key_is_its_bare_key(header, key):
    assert key_of(header) == key


@pytest.mark.parametrize(
    "header",
    ["", '""', "a b", '"a b"', "a\tb", "caf\u00e9", '"caf\u00e9"', "x" * 256, '"' + "x" * 256 + '"', '"', '"a', '"a"b',
     r'"a\b"', '"a\\"', "a,b", "a, b", '"a","b"', '"a", "b"', 'a,"b"', '"a",b', "\x7f", "a\0"],
    ids=repr,
)  # fmt: skip
def test_another_header_or_two_of_them_are_no_key(header):
    with pytest.raises(Problem) as refused:
        key_of(header, required=False)

    assert refused.value.code == "idempotency_key_invalid"


def test_a_key_may_be_left_out_only_where_it_is_not_required():
    assert key_of(None, required=False) is None
    with pytest.raises(Problem, match="idempotency_key_required"):
        key_of(None)


@given(value=VALUES, indent=st.sampled_from([None, 1, 4]))
def test_white_space_and_the_order_of_members_make_no_difference(value, indent):
    def turned(node):
        if isinstance(node, dict):
            return {name: turned(node[name]) for name in reversed(node)}
        return [turned(item) for item in node] if isinstance(node, list) else node

    other = parse(json.dumps(turned(value), indent=indent).encode())

    assert fingerprint("POST", "/a", other) == fingerprint("POST", "/a", value)


def test_method_path_and_body_each_make_a_difference():
    requests = [
        ("POST", "/a", {}), ("PATCH", "/a", {}), ("POST", "/b", {}), ("POST", "/a", []),
        *(("POST", "/a", {"x": value}) for value in ("1", "2", None, ["1", "2"], ["2", "1"])),
    ]  # fmt: skip

    assert len({fingerprint(*request) for request in requests}) == len(requests)
