"""Summaries in the console: claims beside their figures, who told it and why, and asking for another by POST only."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from ledger import clock
from ledger.ids import id_maker
from ops.models import Summary
from ops.summaries.writing import write
from tests.money import snapshot
from tests.ops.endpoint import Endpoint
from tests.ops.staff import ROLES, console, person
from walletplatform.audit.models import AuditEntry

REASON = "for the morning meeting"
MAKERS = {"operator", "approver", "finance", "risk"}
NEW = reverse("admin:ops_summary_new")


def made(**more):
    ends = clock.now().replace(second=0, microsecond=0)
    return Summary.objects.create(
        id=new_id(), kind="window", begins_at=ends - timedelta(hours=1), ends_at=ends, created_at=ends, **more
    )


def new_id():
    return id_maker(at=clock.now())()


@pytest.fixture
def by_template(settings):
    settings.AI_API_KEY = ""
    return write(made().id)


def change(summary):
    return reverse("admin:ops_summary_change", args=[summary.pk])


def test_the_page_shows_each_claim_its_figures_and_why_no_model_wrote_it(by_template):
    shown = console(person("viewer")).get(change(by_template)).text

    for claim in by_template.claims:
        assert claim["text"] in shown
        for key in claim["facts"]:
            assert f'href="#fact-{key}"' in shown
            assert f'id="fact-{key}"' in shown
    assert "No model is set up." in shown


def test_the_page_says_that_a_model_wrote_it_and_what_that_cost(settings):
    endpoint = Endpoint()
    settings.AI_API_KEY, settings.AI_BASE_URL, settings.AI_MODEL = "sk-test", endpoint.url, "a-model"
    settings.AI_DAILY_BUDGET = Decimal(100)  # whatever others have used of it today
    summary = write(made().id)
    endpoint.close()

    shown = console(person("auditor")).get(change(summary)).text

    assert ">Generated</span> by a-model" in shown
    assert "900 and 120" in shown
    assert "0.003450" in shown
    assert summary.claims[0]["text"] in shown


def test_a_summary_that_waits_has_a_page_as_well():
    assert "Not written yet" in console(person("viewer")).get(change(made())).text


def test_text_of_a_model_is_shown_as_text_whatever_is_on_record():
    evil = "<script>alert(1)</script>"
    summary = made()
    facts = {"begins_at": summary.begins_at.isoformat(), "ends_at": summary.ends_at.isoformat(), "facts": []}
    Summary.objects.filter(pk=summary.pk).update(
        state="DONE", written_by="model", facts=facts, title=evil, claims=[{"text": evil, "facts": []}], model=evil,
        finished_at=clock.now(),
    )  # fmt: skip
    http = console(person("viewer"))
    for page in (change(summary), reverse("admin:ops_summary_changelist")):
        assert evil not in http.get(page).text
        assert "&lt;script&gt;alert(1)" in http.get(page).text


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_summaries_and_some_may_ask_for_one(role, by_template):
    http, before, money = console(person(role)), Summary.objects.count(), snapshot()

    assert http.get(reverse("admin:ops_summary_changelist")).status_code == 200
    shown = http.get(change(by_template)).text
    again = reverse("admin:ops_summary_again", args=[by_template.pk])
    assert (again in shown) == (role in MAKERS)
    for page in (NEW, again):
        assert http.get(page).status_code == (200 if role in MAKERS else 403)
        http.get(page, {"window": "1", "reason": REASON})
    assert Summary.objects.count() == before
    for page, form in ((NEW, {"window": "1", "code": "", "reason": REASON}), (again, {"reason": REASON})):
        assert http.post(page, form).status_code == (302 if role in MAKERS else 403)
    assert Summary.objects.count() == before + (2 if role in MAKERS else 0)
    assert snapshot() == money


def test_a_summary_is_asked_for_from_a_form_that_shows_what_is_wrong():
    finance = person("finance")
    http, before = console(finance), Summary.objects.count()
    good = {
        "window": "own",
        "begins_at": "2026-01-01T10:00",
        "ends_at": "2026-01-01T11:00",
        "code": "",
        "reason": REASON,
    }
    for wrong in (
        {"reason": "short"}, {"window": "king"}, {"ends_at": ""}, {"ends_at": "2026-01-01T09:00"},
        {"ends_at": "2099-01-01T09:00"}, {"code": "invented"}, {"begins_at": "yesterday"},
        {"begins_at": "1960-01-01T10:00", "ends_at": "1960-01-01T11:00"},
    ):  # fmt: skip
        answer = http.post(NEW, good | wrong)
        assert answer.status_code == 200, wrong
        assert answer.context["form"].errors
    assert Summary.objects.count() == before

    answer = http.post(NEW, good | {"code": "insufficient_funds"})

    summary = Summary.objects.get(requested_by=finance.pk)
    assert answer.url == change(summary)
    assert (summary.kind, summary.code, summary.requested_name) == ("incident", "insufficient_funds", finance.username)
    told = AuditEntry.objects.get(object_id=str(summary.pk))
    assert (told.action, told.reason, told.actor_name) == ("summary.request", REASON, finance.username)


def test_a_link_from_elsewhere_fills_the_form():
    given = {"begins_at": "2026-01-01T10:00", "ends_at": "2026-01-01T11:00", "code": "insufficient_funds"}
    shown = console(person("risk")).get(NEW, given).text
    assert 'value="2026-01-01T10:00"' in shown
    assert '<option value="insufficient_funds" selected>' in shown


def test_a_page_takes_few_queries(by_template, django_assert_max_num_queries):
    http = console(person("viewer"))
    for page in (reverse("admin:ops_summary_changelist"), change(by_template)):
        http.get(page)
        with django_assert_max_num_queries(12):
            assert http.get(page).status_code == 200
