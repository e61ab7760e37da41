"""The overview's figures in words: cards, the strip of what keeps watch, and charts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.timesince import timesince

from ops.charts import Chart, Series
from ops.failures.words import words
from ops.overview.cards import NONE, Card, Tone, amount, compared, listed, number, percent
from ops.overview.figures import Figures, Told
from ops.overview.picks import Picks
from ops.overview.state import MOST
from ops.windows import DAY, HOUR, MINUTE

REASONS = 6
# From when on a wait is worth a colour: seconds in the outbox, events behind.
SLOW, STUCK = 10, 60
BEHIND = 1_000


@dataclass(frozen=True, slots=True)
class Watch:
    """What keeps watch, and what it says; ``cells`` are its last results, the newest first: tone and words."""

    name: str
    says: str
    tone: Tone
    link: str
    cells: tuple[tuple[Tone, str], ...] = ()


def cards(told: Told, found: Mapping[str, Any], picked: Picks) -> list[Card]:
    said = picked.range.words
    payments = compared(told.now.decided, told.before.decided, said)
    failed = compared(told.now.failed, told.before.failed, said, better="less")
    return [
        _volume(told, picked),
        Card(
            "Payments", number(told.now.decided), small=_pace(told.now.decided, picked),
            note=payments[0], tone=payments[1], link=_payments(picked),
        ),
        _success(told),
        Card("Failed", number(told.now.failed), note=failed[0], tone=failed[1],
             link=reverse("admin:failures") + picked.query()),
        _given_back(told, picked),
        _waiting(found["waiting"], picked),
        _held(found, picked),
        _wallets(found, picked),
    ]  # fmt: skip


def _volume(told: Told, picked: Picks) -> Card:
    link = _payments(picked, status="SETTLED")
    moved = [asset for asset in picked.assets if told.now.moved[asset.code]]
    if not moved:
        return Card("Settled volume", NONE, note="nothing settled in this time", link=link)
    first, *others = [amount(told.now.moved[asset.code], asset) for asset in moved]
    if others:
        return Card("Settled volume", first.figure, small=first.unit, note=f"and {listed(others)}", link=link)
    code = moved[0].code
    note, tone = compared(told.now.moved[code], told.before.moved[code], picked.range.words, better="more")
    return Card("Settled volume", first.figure, small=first.unit, note=note, tone=tone, link=link)


def _given_back(told: Told, picked: Picks) -> Card:
    note, tone = compared(told.now.given_back, told.before.given_back, picked.range.words, better="less")
    part = f"{percent(told.now.given_back / told.now.settled)} of settled" if told.now.settled else ""
    return Card("Given back", number(told.now.given_back), small=part, note=note, tone=tone,
                link=_payments(picked) + "&kind=refund")  # fmt: skip


def _pace(payments: int, picked: Picks) -> str:
    """How many that is a minute, or an hour or a day where it is less than one."""
    elapsed = picked.now - picked.window.begins
    for word, length in (("a minute", MINUTE), ("an hour", HOUR), ("a day", DAY)):
        if payments * length >= elapsed:
            return f"{payments * length / elapsed:,.1f} {word}"
    return ""


def _success(told: Told) -> Card:
    now, target = told.now.success, settings.SUCCESS_TARGET
    if now is None:
        return Card("Success rate", NONE, note="no payments in this time")
    points = "" if told.before.success is None else f", {(now - told.before.success) * 100:+.1f} points"
    if now >= target:
        return Card("Success rate", percent(now), note=f"target {percent(target)} met{points}", tone="good")
    return Card("Success rate", percent(now), note=f"below the target of {percent(target)}{points}", tone="bad")


def _waiting(waiting: Mapping[str, Any], picked: Picks) -> Card:
    link = reverse("admin:payments_payment_changelist") + "?status=CREATED" + _asset(picked)
    if not waiting["payments"]:
        return Card("Waiting for a review", "0", note="nothing waits", tone="good", link=link)
    oldest = datetime.fromisoformat(waiting["oldest"])
    tone: Tone = "bad" if picked.now - oldest > HOUR else "warn"
    return Card("Waiting for a review", _most(waiting["payments"]), note=f"the oldest for {_age(oldest, picked.now)}",
                tone=tone, link=link)  # fmt: skip


def _held(found: Mapping[str, Any], picked: Picks) -> Card:
    link, overdue = reverse("admin:ops_openhold_changelist"), found["overdue"]
    held = [amount(int(found["held"][asset.code]), asset) for asset in picked.assets if asset.code in found["held"]]
    if not held:
        return Card("Held", NONE, note="nothing is held", link=link)
    first, *others = held
    more = f", and {listed(others)}" if others else ""
    note = f"in {_most(found['holds'])} hold{'' if found['holds'] == 1 else 's'}{more}"
    if overdue:
        return Card("Held", first.figure, small=first.unit, note=f"{_most(overdue)} should have ended", tone="bad",
                    link=link)  # fmt: skip
    return Card("Held", first.figure, small=first.unit, note=note, link=link)


def _wallets(found: Mapping[str, Any], picked: Picks) -> Card:
    suspended = found["suspended"]
    status = "SUSPENDED" if suspended else "ACTIVE"
    link = reverse("admin:wallets_wallet_changelist") + f"?status={status}" + _asset(picked)
    note = f"{_most(suspended)} suspended" if suspended else "none suspended"
    return Card("Active wallets", _most(found["active"]), note=note, tone="warn" if suspended else "", link=link)


def watches(found: Mapping[str, Any], now: datetime) -> list[Watch]:
    return [
        _ledger(found),
        _reconciled(found["runs"], now),
        *_events(found),
        _dead(found),
        _summary(found["summary"], now),
    ]


def _ledger(found: Mapping[str, Any]) -> Watch:
    findings, link = found["findings"], reverse("admin:ops_finding_changelist")
    if findings:
        return Watch("Ledger", f"{_most(findings)} open finding{'' if findings == 1 else 's'}", "bad", link)
    checked = [run for run in found["runs"] if run["state"] in ("CLEAN", "FINDINGS")]
    if not checked:
        return Watch("Ledger", "not compared yet", "warn", link)
    return Watch("Ledger", "balanced, nothing open", "good", link)


def _reconciled(runs: list[Mapping[str, Any]], now: datetime) -> Watch:
    link = reverse("admin:ops_reconciliationrun_changelist")
    tones: dict[str, Tone] = {"CLEAN": "good", "FINDINGS": "bad", "FAILED": "warn"}
    done = [run for run in runs if run["state"] != "RUNNING"]
    if not done:
        return Watch("Reconciliation", "no run yet", "warn", link)
    last = done[0]
    finished = datetime.fromisoformat(last["finished"])
    words = {"CLEAN": "clean", "FINDINGS": "found differences", "FAILED": "did not come to its end"}[last["state"]]
    tone = "warn" if last["state"] == "CLEAN" and now - finished > 2 * HOUR else tones[last["state"]]
    cells = tuple((tones[run["state"]], _run(run)) for run in done)
    return Watch("Reconciliation", f"{words}, {_age(finished, now)} ago", tone, link, cells)


def _run(run: Mapping[str, Any]) -> str:
    return f"{datetime.fromisoformat(run['at']):%d %b %H:%M} UTC, {run['kind']}: {run['state'].lower()}"


def _events(found: Mapping[str, Any]) -> list[Watch]:
    outbox, reader, link = found["outbox"], found["reader"], reverse("admin:events_cursor_changelist")
    waiting, seconds = outbox["waiting"], outbox["seconds"] or 0
    told = f"{_most(waiting)} waiting, {seconds} s" if waiting else "empty"
    tone: Tone = "bad" if seconds >= STUCK else "warn" if seconds >= SLOW else "good"
    behind = reader["behind"] if reader else 0
    said = f"{reader['name']} is {number(behind)} behind" if behind else "all have read the log"
    return [
        Watch("Outbox", told, tone, link),
        Watch("Readers", said, "warn" if behind > BEHIND else "good", link),
    ]


def _dead(found: Mapping[str, Any]) -> Watch:
    places = {
        "deliveries": "events_webhookdelivery_changelist", "jobs": "ops_job_changelist",
        "parked": "events_parkedevent_changelist",
    }  # fmt: skip
    words = {"deliveries": "deliveries", "jobs": "jobs", "parked": "events"}
    dead = {name: found[name] for name in places if found[name]}
    if not dead:
        return Watch("Dead letters", "none", "good", reverse(f"admin:{places['deliveries']}"))
    most = max(dead, key=lambda name: dead[name])
    return Watch("Dead letters", ", ".join(f"{_most(count)} {words[name]}" for name, count in dead.items()), "bad",
                 reverse(f"admin:{places[most]}"))  # fmt: skip


def _summary(summary: Mapping[str, Any] | None, now: datetime) -> Watch:
    link = reverse("admin:ops_summary_changelist")
    if summary is None:
        return Watch("Summary", "none yet", "", link)
    finished = datetime.fromisoformat(summary["finished_at"])
    return Watch("Summary", f"{_age(finished, now)} ago", "warn" if now - finished > 25 * HOUR else "good", link)


def payments_chart(told: Told, picked: Picks) -> Chart:
    buckets = list(told.buckets)
    shown = list(told.buckets.values())

    def series(name: str, read: str, colour: Any) -> Series:
        return Series(name, [getattr(one, read) for one in shown], colour)

    return Chart(
        "overview-payments", "Payments over time", "line", [picked.range.label(moment) for moment in buckets],
        [series("Settled", "settled", "success"), series("Failed", "failed", "danger"),
         series("Given back", "given_back", "muted")],
        links=[_payments(picked, begins=moment, ends=moment + picked.range.step) for moment in buckets],
        open_end=True,
    )  # fmt: skip


def reasons_chart(now: Figures, picked: Picks) -> Chart:
    reasons = now.codes.most_common(REASONS)
    return Chart(
        "overview-reasons", "Failures by reason", "rows", [words(code).title for code, _ in reasons],
        [Series("Failed", [count for _, count in reasons], "danger")],
        first="Reason",
        links=[reverse("admin:failure_code", args=[code]) + picked.query() for code, _ in reasons],
    )  # fmt: skip


def _payments(picked: Picks, *, status: str = "", begins: datetime | None = None, ends: datetime | None = None) -> str:
    """The list of payments, narrowed to what a figure has counted."""
    since = f"?from={begins or picked.window.begins:%Y-%m-%dT%H:%M}"
    until = f"&to={ends:%Y-%m-%dT%H:%M}" if ends else ""
    return (
        reverse("admin:payments_payment_changelist")
        + since
        + until
        + (f"&status={status}" if status else "")
        + _asset(picked)
    )


def _asset(picked: Picks) -> str:
    return f"&asset={picked.asset.code}" if picked.asset else ""


def _most(count: int) -> str:
    return f"{number(count)}+" if count >= MOST else number(count)


def _age(moment: datetime, now: datetime) -> str:
    return timesince(moment, now, depth=1) if now - moment >= MINUTE else "a moment"
