"""Rules that can never fire, always do, or tell nobody: said to whoever makes them, and allowed."""

from __future__ import annotations

from decimal import Decimal

from ops.alerts.models import AlertConfiguration, Severity
from ops.alerts.preview import Preview
from ops.alerts.types import TYPES

# A rule that fires for more than this share of the time is noise.
NEARLY_ALWAYS = Decimal("0.5")


def doubts(rule: AlertConfiguration, seen: Preview) -> list[str]:
    """Return what is doubtful about a rule, by itself and by what it would have done."""
    return [*_never(rule, seen), *_always(rule, seen), *_nobody(rule)]


def _never(rule: AlertConfiguration, seen: Preview) -> list[str]:
    known = TYPES[rule.type]
    found = []
    if known.most is not None and rule.threshold > known.most:
        found.append(f"It can never fire: the value is {known.told(known.most)} at most.")
    if known.has_volume and seen.evaluations and rule.minimum_volume > seen.busiest:
        found.append(
            f"It may never fire: no window of the last 7 days had {rule.minimum_volume} payments, the busiest"
            f" {seen.busiest}."
        )
    return found


def _always(rule: AlertConfiguration, seen: Preview) -> list[str]:
    known = TYPES[rule.type]
    least = Decimal(1) if rule.type == "unusual_volume" else Decimal(0)
    if not known.below and rule.threshold <= least and not rule.minimum_volume:
        return [f"It always fires: the value is never below {least}."]
    if seen.evaluations and seen.breached > NEARLY_ALWAYS * seen.evaluations:
        share = round(100 * seen.breached / seen.evaluations)
        return [f"It nearly always fires: in {share} % of the evaluations of the last 7 days."]
    return []


def _nobody(rule: AlertConfiguration) -> list[str]:
    found = []
    if not rule.recipients and not rule.slack_url:
        found.append("It tells nobody: it has no recipients and no Slack address.")
    if rule.escalate_after_minutes is not None and not rule.escalation_recipients:
        found.append("It escalates to nobody: it has no recipients for that.")
    if rule.escalation_recipients and rule.escalate_after_minutes is None:
        found.append("It never escalates: it does not say after how many minutes.")
    if rule.escalate_after_minutes is not None and rule.severity != Severity.CRITICAL:
        found.append("It never escalates: only critical alerts do.")
    return found
