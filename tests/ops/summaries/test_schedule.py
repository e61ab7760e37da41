"""Summaries are asked for by people, on the record, or by the calendar, and the week's goes out by mail."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ledger import clock
from ops.approvals.refusing import Refused
from ops.models import Summary
from ops.summaries.digest import compose
from ops.summaries.requesting import request_for_slot, request_summary, write_again
from ops.summaries.windows import Window
from ops.summaries.writing import FiguresLate, write
from tests.ops.staff import person
from tests.ops.summaries.making import count, new_id, refreshed, today, work_off_all
from walletplatform.audit.actors import of_staff
from walletplatform.audit.models import AuditEntry

REASON = "for the morning meeting"


def test_a_job_writes_what_was_asked_for(endpoint, told):
    now = clock.now().replace(second=0, microsecond=0)
    summary = request_summary(
        window=Window(now - timedelta(hours=1), now), code="", actor=of_staff(person("risk")), reason=REASON
    )
    assert summary.state == "WAITING"

    work_off_all("ai")

    assert (refreshed(summary).state, refreshed(summary).written_by) == ("DONE", "model")


def test_a_scheduled_summary_waits_for_late_figures_and_then_is_written_without(shop, settings):
    settings.AI_API_KEY = ""
    count()
    shop.wallet()  # is told, and not counted yet
    ended = clock.now() + timedelta(minutes=1)

    def scheduled(*, ago):
        slot = ended + ago  # of a kind there is one for each
        return Summary.objects.create(
            id=new_id(), kind="daily", slot=slot, begins_at=ended - timedelta(days=1), ends_at=ended,
            created_at=clock.now() - ago,
        )  # fmt: skip

    summary = scheduled(ago=timedelta(0))
    with pytest.raises(FiguresLate):
        write(summary.id)
    assert write(scheduled(ago=timedelta(minutes=31)).id).state == "DONE"
    count()
    assert write(summary.id).state == "DONE"


def test_the_weekly_summary_goes_by_mail_once_to_each_recipient(told, settings, mailoutbox):
    settings.AI_API_KEY, settings.DIGEST_RECIPIENTS = "", ["ann@example.com", "bob@example.com"]
    count()
    request_for_slot("weekly")
    weekly = Summary.objects.get(kind="weekly", slot__isnull=False)

    work_off_all("ai")
    work_off_all("mail")
    work_off_all("mail")

    ours = [mail for mail in mailoutbox if weekly.pk.hex in mail.extra_headers["Message-ID"].replace("-", "")]
    assert sorted(mail.to for mail in ours) == [["ann@example.com"], ["bob@example.com"]]
    html, kind = ours[0].alternatives[0]
    assert kind == "text/html"
    for text in (ours[0].body, html):
        assert f"/admin/ops/summary/{weekly.pk}/change/" in text
        assert refreshed(weekly).claims[0]["text"] in text
    again = compose(refreshed(weekly), "ann@example.com").extra_headers["Message-ID"]
    assert again in {mail.extra_headers["Message-ID"] for mail in ours}


def test_each_day_and_each_week_has_one_scheduled_summary():
    first = request_for_slot("daily")
    assert request_for_slot("daily") is None
    assert first is None or first.ends_at == today().begins_at
    request_for_slot("weekly")
    weekly = Summary.objects.get(kind="weekly", slot__isnull=False)
    assert (weekly.begins_at.weekday(), weekly.ends_at - weekly.begins_at) == (0, timedelta(days=7))


def test_asking_for_a_summary_is_on_the_audit_trail_and_a_bad_window_changes_nothing():
    finance = person("finance")
    now = clock.now().replace(second=0, microsecond=0)
    good = Window(now - timedelta(hours=1), now)

    summary = request_summary(window=good, code="", actor=of_staff(finance), reason=REASON)
    again = write_again(summary_id=summary.id, actor=of_staff(finance), reason=REASON)

    assert (again.begins_at, again.ends_at, again.kind) == (summary.begins_at, summary.ends_at, "window")
    entries = AuditEntry.objects.filter(actor_id=finance.pk).order_by("id")
    assert [(one.action, one.object_id) for one in entries] == [
        ("summary.request", str(summary.id)), ("summary.regenerate", str(again.id)),
    ]  # fmt: skip
    before = Summary.objects.count()
    for window in (
        Window(now, now - timedelta(hours=1)), Window(now - timedelta(days=32), now),
        Window(now - timedelta(hours=1), now + timedelta(hours=1)),
        Window(now - timedelta(hours=1), now - timedelta(seconds=1)),
    ):  # fmt: skip
        with pytest.raises(Refused):
            request_summary(window=window, code="", actor=of_staff(finance), reason=REASON)
    assert Summary.objects.count() == before
