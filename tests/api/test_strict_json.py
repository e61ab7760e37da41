"""JSON that two parsers could read differently is refused; all else is read as it is written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walletplatform.api.problems import Problem
from walletplatform.api.strict_json import MAX_DEPTH, parse

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(value=VALUES, escaped=st.booleans(), indent=st.sampled_from([None, 1]))
def test_strict_json_is_read_as_it_was_written(value, escaped, indent):
    body = json.dumps(value, ensure_ascii=escaped, indent=indent).encode()

    assert json.dumps(parse(body)) == json.dumps(value)


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"{}{}", b"{} x", b"[1,]", b'{"a":1,}', b"{'a':1}", b"{a:1}", b"/**/1", b"\xa01", b"\x0b1",
        b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"',
        b"NaN", b"[Infinity]", b"-Infinity", b"1e400", b"[-1e999]", b"1" + b"0" * 400 + b".0",
        b"18446744073709551616", b"-9223372036854775809", b"9" * 5000, b"01", b"+1", b".5", b"1.", b"0x1", b"1_0",
        b'"a\\u0000b"', b'{"a\\u0000":1}', b'"\x00"', b'"\\ud800"', b'["\\udc00x"]', b'{"\\ud800":1}', b'"\\uD83D"',
        b'"a\nb"', b'"\\x41"', b'"a',
        b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}', b'[{"b":{"a":1,"a":2}}]',
        b"[" * 33 + b"]" * 33, b'{"a":' * 33 + b"1" + b"}" * 33, b"[" * 60_000,
        b'["]",' * 33 + b"1" + b"]" * 33, b'["\\"",' * 33 + b"1" + b"]" * 33,
    ],
    ids=lambda body: repr(body)[:32],
)  # fmt: skip
def test_what_parsers_disagree_on_is_refused(body):
    with pytest.raises(Problem) as refused:
        parse(body)

    assert refused.value.code == "malformed_json"
    assert len(refused.value.detail) < 100


@pytest.mark.parametrize(
    "body",
    [
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        b'"' + b"[{" * 500 + b'"',
        b'["\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["]',
        b"[" + b",".join([b"{}"] * 200) + b"]",
        b"18446744073709551615",
        b"-9223372036854775808",
        b"1e308",
        b'"\\ud83d\\ude00"',
    ],
    ids=lambda body: repr(body)[:32],
)
def test_what_only_looks_dangerous_is_read(body):
    assert parse(body) == json.loads(body)


def test_a_text_that_never_ends_is_read_once():
    """Quadratic, this body would take minutes; the run's own time limit is the judge."""
    with pytest.raises(Problem):
        parse(b"[" * 33 + b'\\"' * 500_000)
