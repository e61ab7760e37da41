"""The plain telling of facts, where no model tells them: the same facts, always in the same words."""

from __future__ import annotations

from collections.abc import Iterator

from ops.summaries.facts import Fact, Facts
from ops.summaries.stories import MOST_CLAIMS, Claim, Story

SHOWN_CODES = 3
_MOVED = {"up": "up from", "down": "down from", "same": "the same as"}


def tell(facts: Facts) -> Story:
    """Return the facts that matter most as a story that ``verify`` passes."""
    known = facts.by_key()
    settled, failed = known["payments.settled"], known["payments.failed"]
    title = f"{settled.value} payments settled and {failed.value} payments failed"
    return Story(title, list(_claims(known))[:MOST_CLAIMS])


def _claims(known: dict[str, Fact]) -> Iterator[Claim]:
    yield _claim(*(known[key] for key in ("payments.settled", "payments.failed")))
    if "payments.success_rate" in known:
        yield _claim(known["payments.success_rate"])
    codes = [fact for key, fact in known.items() if key.startswith("failures.") and fact.label.endswith(" failures")]
    if codes:
        yield _claim(*codes[:SHOWN_CODES])
    if "failures.worst_hour" in known:
        hour, failures = known["failures.worst_hour"], known["failures.in_worst_hour"]
        text = f"The worst hour for failures began at {hour.shown}, with {failures.value} failures in it."
        yield Claim(text, [hour.key, failures.key])
    amounts = [fact for key, fact in known.items() if key.endswith(".settled_amount")]
    if amounts:
        yield _claim(*amounts[:2])
    yield _claim(*(known[key] for key in ("alerts.critical", "alerts.warning", "alerts.open")))
    yield _claim(*(known[key] for key in ("holds.open", "reconciliation.findings", "findings.open")))
    yield _claim(*(known[key] for key in ("events.waiting", "events.set_aside", "webhooks.given_up")))


def _claim(*facts: Fact) -> Claim:
    text = "; ".join(_told(fact) for fact in facts)
    return Claim(f"{text[0].upper()}{text[1:]}.", [fact.key for fact in facts])


def _told(fact: Fact) -> str:
    """A fact in a few words: payments settled: 1,204, up from 1,100."""
    was = f"{fact.before} {fact.unit}".strip()
    compared = f", {_MOVED[fact.direction]} {was if fact.direction != 'same' else 'before'}" if fact.direction else ""
    return f"{fact.label}: {fact.shown}{compared}"
