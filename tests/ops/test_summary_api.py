"""Summaries over the API: for client systems that see all assets, page by page, and asked for once for a key."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from ledger import clock
from ledger.ids import id_maker
from ops.jobs.models import Job
from ops.models import Summary
from ops.summaries.writing import write
from tests.actors import actor
from walletplatform.audit.models import AuditEntry


def new_id():
    return id_maker(at=clock.now())()


@pytest.fixture(autouse=True)
def no_model(settings):
    settings.AI_API_KEY = ""


@pytest.fixture
def auditor():
    return actor("client")


def asked(**more):
    return {"begins_at": "2026-01-01T10:00:00Z", "ends_at": "2026-01-01T11:00:00Z", **more}


def test_a_summary_is_asked_for_written_and_read(auditor):
    answer = auditor.post("/ai/summaries", asked(code="insufficient_funds"), key=None)

    assert (answer.status_code, answer.json()["state"], answer.json()["kind"]) == (202, "WAITING", "incident")
    made = answer.json()["id"]
    assert Job.objects.get(payload={"summary_id": made}).state == "WAITING"
    assert AuditEntry.objects.get(object_id=made).action == "summary.request"
    write(made)
    shown = auditor.get(f"/ai/summaries/{made}").json()
    assert (shown["state"], shown["written_by"], shown["why"], shown["cost"]) == ("DONE", "template", "no_key", "0")
    keys = {fact["key"] for fact in shown["facts"]}
    assert {key for claim in shown["claims"] for key in claim["facts"]} <= keys
    assert not any("link" in fact for fact in shown["facts"])


def test_a_key_asks_once(auditor):
    key, body, before = uuid4().hex, asked(), Summary.objects.count()

    first, again = (auditor.post("/ai/summaries", body, key=key) for _ in range(2))

    assert (first.status_code, first.content) == (again.status_code, again.content) == (202, first.content)
    assert Summary.objects.count() == before + 1


@pytest.mark.parametrize(
    "body",
    [
        {}, asked(ends_at="2001-01-01T00:00:00Z"), asked(code="invented"), asked(begins_at="2026-01-01"),
        asked(begins_at="2025-01-01T10:00:00Z"), asked(begins_at="2026-01-01T10:00:01Z"), asked(x=1),
        asked(code=None), asked(ends_at="2099-01-01T00:00:00Z"),
        asked(begins_at="1960-01-01T10:00:00Z", ends_at="1960-01-01T11:00:00Z"),
        asked(begins_at="1970-01-01T00:00:00Z", ends_at="1970-01-01T01:00:00Z"),
        asked(begins_at="0001-01-01T10:00:00Z", ends_at="0001-01-01T11:00:00Z"),
    ],
)  # fmt: skip
def test_a_bad_request_makes_no_summary(auditor, body):
    before = Summary.objects.count()

    answer = auditor.post("/ai/summaries", body)

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert Summary.objects.count() == before


def test_the_first_window_that_has_one_before_it_can_be_written(auditor):
    body = asked(begins_at="1970-01-01T01:00:00Z", ends_at="1970-01-01T02:00:00Z")

    made = auditor.post("/ai/summaries", body).json()["id"]

    assert write(made).state == "DONE"


def test_who_does_not_see_every_asset_sees_no_summary():
    bound = actor("client", assets=frozenset({"EUR"}))
    made = Summary.objects.create(
        id=new_id(), kind="window", begins_at=clock.now() - timedelta(hours=1), ends_at=clock.now(),
        created_at=clock.now(),
    )  # fmt: skip
    for answer in (
        bound.get("/ai/summaries"), bound.get(f"/ai/summaries/{made.pk}"), bound.post("/ai/summaries", asked()),
    ):  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_pages_are_exact_and_narrowed_by_kind(auditor):
    for _ in range(5):
        auditor.post("/ai/summaries", asked())
    whole = [str(pk) for pk in Summary.objects.filter(kind="window").order_by("-id").values_list("pk", flat=True)]

    seen, cursor = [], ""
    while cursor is not None:
        page = auditor.get(f"/ai/summaries?kind=window&limit=2{cursor and '&cursor='}{cursor}").json()
        seen += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert seen == whole
    assert all(Decimal(one["cost"]) >= 0 for one in page["data"])
    assert auditor.get("/ai/summaries?kind=king").status_code == 400
    assert auditor.get(f"/ai/summaries/{uuid4()}").status_code == 404
