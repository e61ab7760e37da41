"""A summary is written once, whoever dies or is at it too, and within the day's budget."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection
from django.db.transaction import atomic

from ops.models import Summary
from ops.summaries.asking import Usage
from ops.summaries.budget import AtWork, OverBudget, reserve, settle
from ops.summaries.gathering import gather
from ops.summaries.models import ModelCall
from ops.summaries.prompting import prompt
from ops.summaries.writing import write
from tests.money import rows
from tests.ops.summaries.making import refreshed, this_hour, waiting, written


def test_what_is_done_never_changes_and_nothing_is_deleted(told, settings):
    settings.AI_API_KEY = ""
    summary = written()
    for change in ({"title": "other"}, {"claims": []}, {"state": "WAITING"}, {"why": "untrue"}):
        with pytest.raises(IntegrityError), atomic():
            Summary.objects.filter(id=summary.id).update(**change)
    with pytest.raises(Exception, match=r"permission denied|append-only"), atomic():
        Summary.objects.filter(id=summary.id).delete()
    assert refreshed(summary).title == summary.title


def test_writing_twice_writes_once(endpoint, told):
    summary = waiting()
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: _try_to_write(summary), range(4)))

    assert outcomes.count("written") >= 1
    assert ModelCall.objects.filter(summary=summary).count() == len(endpoint.got) == 1
    assert write(summary.id).finished_at == refreshed(summary).finished_at


def test_an_answer_that_is_about_to_be_written_down_is_not_asked_for_again(endpoint, told, monkeypatch):
    summary = waiting()
    call = reserve(summary_id=summary.id, prompt=prompt(gather(this_hour()), kind="window"))
    settle(call, usage=Usage(10, 10), outcome="answered")
    with pytest.raises(AtWork):
        write(summary.id)
    monkeypatch.setattr("ops.summaries.budget._GRACE", timedelta(0))
    done = write(summary.id)
    assert (done.written_by, done.why, endpoint.got) == ("template", "interrupted", [])


def _try_to_write(summary):
    try:
        write(summary.id)
        return "written"
    except AtWork:
        return "somebody else is at it"
    finally:
        connection.close()


def test_a_worker_that_died_while_it_asked_is_followed_by_the_template(endpoint, told, settings):
    settings.AI_TIMEOUT = -31.0  # whoever began a moment ago is long dead
    summary = waiting()
    reserve(summary_id=summary.id, prompt=prompt(gather(this_hour()), kind="window"))

    done = write(summary.id)

    assert (done.written_by, done.why) == ("template", "interrupted")
    assert not endpoint.got


def test_workers_together_never_reserve_more_than_the_days_budget(told, settings):
    spent = rows("SELECT coalesce(sum(coalesce(cost, reserved)), 0) FROM ai_calls WHERE started_at >= now()::date")[0][
        0
    ]
    request = prompt(gather(this_hour()), kind="window")
    settings.AI_DAILY_BUDGET = Decimal(1_000_000)
    one = reserve(summary_id=waiting().id, prompt=request).reserved
    settings.AI_DAILY_BUDGET = spent + one * 4
    summaries = [waiting() for _ in range(6)]

    def try_to_reserve(summary):
        try:
            reserve(summary_id=summary.id, prompt=request)
        except OverBudget:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(try_to_reserve, summaries)) == 3


def test_over_budget_the_template_tells(endpoint, told, settings):
    settings.AI_DAILY_BUDGET = Decimal(0)

    summary = written()

    assert (summary.written_by, summary.why, endpoint.got) == ("template", "over_budget", [])


@pytest.mark.parametrize("usage", [None, {}, "x", {"prompt_tokens": -5, "completion_tokens": 1},
                                   {"prompt_tokens": 10**9, "completion_tokens": 1}])  # fmt: skip
def test_what_a_call_took_is_taken_for_the_worst_where_nobody_says(endpoint, told, usage):
    endpoint.usage = usage

    [call] = written().calls.all()

    assert (call.cost, call.tokens_in) == (call.reserved, None)
