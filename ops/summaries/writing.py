"""
Write a summary that was asked for: facts first, then the model's words if they hold, else the template's.

The model is asked outside any transaction. All that a worker writes is the summary's own row and its calls'; one that
died is found by the next as ``Interrupted``, and the template writes.
"""

from __future__ import annotations

from datetime import timedelta
from time import monotonic, sleep
from uuid import UUID

from django.conf import settings
from django.db.transaction import atomic

from ledger import clock
from ops.jobs.queueing import enqueue
from ops.summaries import template
from ops.summaries.asking import Misbehaved, ask
from ops.summaries.budget import ANSWERED, MOST_CALLS, Interrupted, OverBudget, reserve, settle
from ops.summaries.facts import Facts
from ops.summaries.gathering import gather
from ops.summaries.health_facts import figures_behind
from ops.summaries.models import Summary
from ops.summaries.prompting import VERSION, prompt
from ops.summaries.stories import Malformed, Story, parse
from ops.summaries.verifying import Unfit, Untrue, verify
from ops.summaries.windows import Window

Why = Summary.Why
# How long a scheduled summary waits for figures that are late.
PATIENCE = timedelta(minutes=30)


class FiguresLate(Exception):
    """Not all of the window is in the figures yet: to be tried again."""


class _NotTold(Exception):
    """The model told nothing that can be shown."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(why.label)
        self.why, self.detail = why, detail


def write(summary_id: UUID) -> Summary:
    """
    Write the summary, unless it is written, and return it.

    :raises FiguresLate:
    :raises AtWork: where somebody else is at it (``ops.summaries.budget``)
    """
    summary = Summary.objects.get(id=summary_id)
    if summary.state == Summary.State.DONE:
        return summary
    window = Window(summary.begins_at, summary.ends_at)
    waited = clock.now() - summary.created_at
    if summary.slot is not None and waited < PATIENCE and figures_behind(window):
        raise FiguresLate
    facts = gather(window, code=summary.code)
    try:
        return _finish(summary_id, facts, _told_by_model(summary, facts))
    except _NotTold as refusal:
        return _finish(summary_id, facts, template.tell(facts), why=refusal.why, detail=refusal.detail)


def _told_by_model(summary: Summary, facts: Facts) -> Story:
    """
    Return what the model tells of the facts, and what holds against them.

    :raises _NotTold:
    """
    if not settings.AI_API_KEY:
        raise _NotTold(Why.NO_KEY)
    request, ends = prompt(facts, kind=summary.kind), monotonic() + settings.AI_TIMEOUT
    for attempt in range(1, MOST_CALLS + 1):
        try:
            call = reserve(summary_id=summary.id, prompt=request)
        except OverBudget:
            raise _NotTold(Why.OVER_BUDGET) from None
        except Interrupted:
            raise _NotTold(Why.INTERRUPTED) from None
        try:
            answer = ask(request, seconds=max(ends - monotonic(), 0.1))
        except Misbehaved as error:
            settle(call, usage=error.usage, outcome=error.why, detail=error.detail)
            if error.again and attempt < MOST_CALLS and monotonic() + error.pause < ends:
                sleep(error.pause)
                continue
            raise _NotTold(error.why, error.detail) from None
        settle(call, usage=answer.usage, outcome=ANSWERED)
        return _judged(answer.text, facts)
    raise AssertionError("the last attempt returns or raises")


def _judged(text: str, facts: Facts) -> Story:
    try:
        story = parse(text)
        verify(story, facts)
    except Malformed as error:
        raise _NotTold(Why.GARBAGE, str(error)) from None
    except Untrue as error:
        raise _NotTold(Why.UNTRUE, str(error)) from None
    except Unfit as error:
        raise _NotTold(Why.UNFIT, str(error)) from None
    return story


@atomic
def _finish(summary_id: UUID, facts: Facts, story: Story, *, why: str = "", detail: str = "") -> Summary:
    """Put on record what is told; where another worker has meanwhile, that stays."""
    summary = Summary.objects.select_for_update().get(id=summary_id)
    if summary.state == Summary.State.DONE:
        return summary
    asked = summary.calls.order_by("number").last()
    summary.facts, summary.names = facts.stored(), facts.names
    summary.title, summary.claims = story.title, [{"text": one.text, "facts": one.facts} for one in story.claims]
    summary.written_by = Summary.Writer.TEMPLATE if why else Summary.Writer.MODEL
    summary.why, summary.detail = why, detail[:200]
    summary.model, summary.prompt_version = (asked.model, VERSION) if asked else ("", "")
    summary.state, summary.finished_at = Summary.State.DONE, clock.now()
    # The columns that may change, and no other.
    summary.save(
        update_fields=[
            "facts", "names", "title", "claims", "written_by", "why", "detail", "model", "prompt_version", "state",
            "finished_at",
        ]
    )  # fmt: skip
    if summary.kind == Summary.Kind.WEEKLY and summary.slot is not None:
        for recipient in settings.DIGEST_RECIPIENTS:
            enqueue("summaries.mail", {"summary_id": str(summary_id), "recipient": recipient})
    return summary
