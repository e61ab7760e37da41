"""What a message says: of each alert what happened, since when, by which measure, and where to look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops.alerts.models import Alert, Notification, NotifiedAlert
from ops.alerts.pages import alert_url, alerts_url, subject_path, subject_words, url
from ops.alerts.types import TYPES

# What a message shows of many; the rest stands in the console.
MOST_SHOWN = 20
Word = NotifiedAlert.Word
HEADS = {Word.ESCALATED: "Not acknowledged yet", Word.BEGAN: "Began", Word.ENDED: "Ended"}


@dataclass(frozen=True, slots=True)
class Section:
    """Alerts of which the same is told: as many as are shown, worst first, and how many more there are."""

    head: str
    shown: list[dict[str, Any]]
    more: int


@dataclass(frozen=True, slots=True)
class Message:
    subject: str
    sections: list[Section]
    link: str


def message_of(notification: Notification) -> Message:
    """Return what a message says, by the alerts as they are now."""
    if notification.is_test:
        return _test(notification)
    notified = notification.notified.select_related("alert").order_by("-alert__urgency", "alert_id")
    by_word: dict[str, list[Alert]] = {word: [] for word in HEADS}
    for one in notified:
        by_word[one.word].append(one.alert)
    sections = [_section(HEADS[Word(word)], alerts) for word, alerts in by_word.items() if alerts]
    first = next(alerts for alerts in by_word.values() if alerts)
    many = sum(map(len, by_word.values()))
    link = alert_url(first[0]) if many == 1 else alerts_url()
    return Message(clean(_subject(by_word, many)), sections, link)


def clean(text: str) -> str:
    """Return text on one line, without what is not to be seen: it goes into headers."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def time_words(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _subject(by_word: dict[str, list[Alert]], many: int) -> str:
    open_ones = [*by_word[Word.ESCALATED], *by_word[Word.BEGAN]]
    if not open_ones:
        return f"Ended: {by_word[Word.ENDED][0].title}" if many == 1 else f"{many} alerts ended"
    worst = open_ones[0]
    mark = f"[{worst.severity}]"
    if by_word[Word.ESCALATED]:
        mark += " Not acknowledged:"
    return f"{mark} {worst.title}" + (f", and {many - 1} more" if many > 1 else "")


def _section(head: str, alerts: Sequence[Alert]) -> Section:
    return Section(head, [_told(alert) for alert in alerts[:MOST_SHOWN]], max(len(alerts) - MOST_SHOWN, 0))


def _told(alert: Alert) -> dict[str, Any]:
    known = TYPES.get(alert.type)
    path = subject_path(alert)
    return {
        "severity": alert.get_severity_display(),
        "title": clean(alert.title),
        "detail": clean(alert.detail),
        "since": time_words(alert.first_seen),
        "until": time_words(alert.resolved_at) if alert.resolved_at else "",
        "by": alert.resolved_by,
        "value": alert.value,
        "threshold": f"{'below' if known and known.below else 'from'} {alert.threshold}" if alert.threshold else "",
        "about": subject_words(alert),
        "about_link": url(path) if path else "",
        "link": alert_url(alert),
    }


def _test(notification: Notification) -> Message:
    rule = notification.configuration
    assert rule is not None
    text = f"This is a test of the alert rule {rule.name}. Nothing has happened."
    told = {"severity": "Test", "title": text, "link": alerts_url(), "since": time_words(notification.created_at)}
    return Message(clean(f"[test] {rule.name}"), [Section("Test", [told], 0)], alerts_url())
