"""The Idempotency-Key header and the fingerprint of a request, by themselves."""

import hashlib

import pytest

from walletplatform.api.idempotency import fingerprint, idempotency_key
from walletplatform.api.problems import Problem


class Request:
    def __init__(self, key=None):
        self.META = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("abc", "abc"), ("!", "!"), ("~", "~"), ("x" * 255, "x" * 255), ('"abc"', "abc"), ('"a,b"', "a,b"),
        (r'"a\"b"', 'a"b'), (r'"a\\b"', r"a\b"), ('a"b', 'a"b'), (r"a\b", r"a\b"),
    ],
)  # fmt: skip
def test_a_key_is_read_bare_or_quoted(header, key):
    assert idempotency_key(Request(header), required=True) == key


@pytest.mark.parametrize(
    "header",
    ["", '""', " ", "a b", "a,b", '"a', '"a" ', '"a b"', r'"a\x"', "x" * 256, '"' + "x" * 256 + '"', "\x7f", "ü"],
)
@pytest.mark.parametrize("required", [True, False])
def test_a_malformed_key_is_refused_also_where_none_is_needed(header, required):
    with pytest.raises(Problem) as refused:
        idempotency_key(Request(header), required=required)
    assert refused.value.code == "idempotency_key_invalid"
    assert str(refused.value) == (
        "idempotency_key_invalid: An Idempotency-Key is one header of 1-255 visible ASCII characters"
        " (a comma only in quotes)."
    )


def test_a_missing_key_is_refused_only_where_one_is_needed():
    assert idempotency_key(Request(), required=False) is None
    with pytest.raises(Problem, match=r"idempotency_key_required: Send an Idempotency-Key header of your choice\."):
        idempotency_key(Request(), required=True)


def test_a_fingerprint_is_of_method_path_and_meaning():
    assert (
        fingerprint("POST", "/p", {"b": 1, "a": "ü"}) == hashlib.sha256('POST\n/p\n{"a":"ü","b":1}'.encode()).digest()
    )
    assert len({fingerprint(m, p, b) for m in ("POST", "PUT") for p in ("/a", "/b") for b in ({}, [], None)}) == 12
