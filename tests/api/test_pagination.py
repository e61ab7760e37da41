"""Limits and cursors, taken in one spelling and only where they were made."""

import pytest
from django.core import signing
from django.http import QueryDict

from walletplatform.api.pagination import page_of
from walletplatform.api.problems import Problem


def page(query="", *, principal="ann", path="/wallets", **filters):
    return page_of(QueryDict(query), principal=principal, path=path, filters=filters)


def next_cursor(**where):
    rows = list(range(10, 0, -1))
    return page("limit=3", **where).answer(rows[:4], lambda row: {"id": row}, lambda row: row)["next_cursor"]


@pytest.mark.parametrize(
    "limit",
    ["0", "101", "-1", "+1", "01", "0100000", "00050", "1000", "1e1", "1.0", " 1", "1 ", "", "x", "\u0661", "1\n",
     "9" * 5000],
    ids=lambda limit: repr(limit)[:20],
)  # fmt: skip
def test_a_limit_is_a_plain_number_from_1_to_100(limit):
    query = QueryDict(mutable=True)
    query["limit"] = limit

    with pytest.raises(Problem) as refused:
        page_of(query, principal="ann", path="/wallets", filters={})

    assert refused.value.errors[0]["pointer"] == "/limit"


@pytest.mark.parametrize(("query", "limit"), [("", 50), ("limit=1", 1), ("limit=99", 99), ("limit=100", 100)])
def test_a_page_has_the_rows_asked_for(query, limit):
    assert page(query).limit == limit


def test_a_page_tells_whether_there_are_more():
    last = page("limit=3").answer([3, 2, 1], lambda row: {"id": row}, lambda row: row)

    assert last == {"data": [{"id": 3}, {"id": 2}, {"id": 1}], "has_more": False, "next_cursor": None}
    assert page(f"cursor={next_cursor()}").after == "8"


@pytest.mark.parametrize("where", [{"principal": "bob"}, {"path": "/payments"}, {"status": "ACTIVE"}])
def test_a_cursor_serves_only_where_it_was_made(where):
    with pytest.raises(Problem) as refused:
        page(f"cursor={next_cursor()}", **where)

    assert refused.value.errors[0]["pointer"] == "/cursor"


def test_a_cursor_changed_anywhere_is_refused():
    cursor = next_cursor()
    for place, letter in enumerate(cursor):
        bent = cursor[:place] + ("A" if letter != "A" else "B") + cursor[place + 1 :]
        with pytest.raises(Problem):
            page(f"cursor={bent}")


@pytest.mark.parametrize("made", [{}, [], "x", 7, None, ["ann", "/wallets", {}]])
def test_a_text_signed_for_something_else_is_no_cursor(made):
    for salt in ("walletplatform.cursor", "django.core.signing"):
        with pytest.raises(Problem):
            page(f"cursor={signing.dumps(made, salt=salt)}")
