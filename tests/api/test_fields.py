"""Fields take one spelling, and the schema says which."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from walletplatform.api import fields
from walletplatform.api.fields import (
    AmountField,
    FlagField,
    IdField,
    MetadataField,
    StrictSerializer,
    TextField,
    TimeField,
    validated,
)
from walletplatform.api.problems import Problem

UUID = "01939f3e-5f1c-7d3a-8b52-5a2f3c1d9e77"


class Inner(StrictSerializer):
    amount = AmountField()


class Asked(StrictSerializer):
    amount = AmountField()
    label = TextField(max_length=10, required=False)
    inner = Inner(required=False)


ASKED = Asked()


@pytest.mark.parametrize(
    "amount",
    ["1e3", "1E3", "+1", "-1", "-0", " 1", "1 ", "1\n", "1,00", "1_000", "1 000", "٣", "０", "½", "²", "0x10", "NaN",
     "Infinity", "inf", "1.", ".5", ".", "00.5", "01", "0", "0.00", "0.00000000", "1" * 19, "1" * 18 + ".0",
     "1" * 11 + "." + "1" * 8, "0.123456789", "1.2.3", "1\u200b", "\u22121", "null", "", 12.5, 1, 0, True, False, None,
     [], ["1"], {}, {"a": "1"}],
    ids=lambda amount: repr(amount)[:24],
)  # fmt: skip
def test_an_amount_has_one_spelling(amount):
    with pytest.raises(Problem) as refused:
        validated(ASKED, {"amount": amount})

    assert [error["pointer"] for error in refused.value.errors] == ["/amount"]


@pytest.mark.parametrize("amount", ["1", "0.5", "12.50", "0.00000001", "1" * 18, "1" * 10 + "." + "1" * 8, "10"])
def test_an_amount_is_exactly_what_it_says(amount):
    assert validated(ASKED, {"amount": amount}) == {"amount": Decimal(amount)}


@given(text=st.text("0123456789.", max_size=22) | st.from_regex(fields._AMOUNT, fullmatch=True))
@example(text="1" * 18 + ".0")
@example(text="0.0")
def test_the_schema_describes_just_the_amounts_that_are_taken(text):
    schema = fields._AMOUNT_SCHEMA
    described = re.search(schema["pattern"], text) is not None and len(text) <= schema["maxLength"]
    try:
        validated(ASKED, {"amount": text})
        taken = True
    except Problem:
        taken = False

    assert taken == described


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((TextField(), value) for value in (1, 1.5, True, None, [], {}, "", "a\0b")),
        *((FlagField(), value) for value in ("true", "yes", 1, 0, "", None, [], {})),
        *((IdField(), value) for value in (
            UUID.upper(), UUID.replace("-", ""), "{" + UUID + "}", "urn:uuid:" + UUID, UUID + "\n", " " + UUID, 7,
            None, [],
        )),
        *((TimeField(), value) for value in (
            "2026-01-31", "2026-01-31T12:00:00", "2026-01-31 12:00:00Z", "2026-01-31T12:00Z", "2026-02-30T12:00:00Z",
            "2026-01-31T24:00:00Z", "2026-01-31T12:00:60Z", "2026-01-31T12:00:00+25:00", "2026-01-31T12:00:00+0100",
            "2026-01-31T12:00:00.1234567Z", "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00",
            "٢026-01-31T12:00:00Z", "now", 1769860800, None, "",
        )),
        *((MetadataField(), value) for value in (
            [], "x", 1, None, {"a": 1}, {"a": None}, {"a": ["b"]}, {"a": {"b": "c"}}, {"": "x"}, {"n" * 41: "x"},
            {"a": "x" * 501}, {str(n): "x" for n in range(51)},
        )),
    ],
    ids=lambda value: repr(value)[:40] if not hasattr(value, "run_validation") else type(value).__name__,
)  # fmt: skip
def test_a_field_takes_nothing_that_merely_resembles_it(field, value):
    with pytest.raises(ValidationError):
        field.run_validation(value)


def test_fields_take_what_they_are_for():
    assert TextField().run_validation("  a b ") == "  a b "
    assert FlagField().run_validation(False) is False
    assert str(IdField().run_validation(UUID)) == UUID
    assert TimeField().run_validation("2026-01-31T13:00:00.5+01:00") == datetime(2026, 1, 31, 12, 0, 0, 500_000, UTC)
    most = {f"{n:040}": "x" * 500 for n in range(50)}
    assert MetadataField().run_validation(most) == most


def test_every_error_has_a_pointer_of_its_own():
    with pytest.raises(Problem) as refused:
        validated(ASKED, {"amount": "1", "label": "x" * 11, "inner": {"amount": "1e3"}})

    assert refused.value.code == "validation_error"
    assert [(error["pointer"], error["code"]) for error in refused.value.errors] == [
        ("/inner/amount", "invalid"), ("/label", "max_length"),
    ]  # fmt: skip


def test_a_pointer_escapes_what_rfc_6901_escapes():
    with pytest.raises(Problem) as refused:
        validated(ASKED, {"amount": "1", "a/b~c": 1})

    assert refused.value.errors[0]["pointer"] == "/a~1b~0c"


@pytest.mark.parametrize("body", [[], "x", 7, None, True])
def test_a_body_that_is_no_object_is_refused_as_a_whole(body):
    with pytest.raises(Problem) as refused:
        validated(ASKED, body)

    assert [error["pointer"] for error in refused.value.errors] == [""]


def test_a_long_bad_request_gets_a_short_answer():
    with pytest.raises(Problem) as refused:
        validated(ASKED, {"amount": "1"} | {f"{n}" + "x" * 1000: "y" * 1000 for n in range(1000)})

    assert len(refused.value.errors) == 20
    assert max(len(error["pointer"]) + len(error["detail"]) for error in refused.value.errors) < 200
