"""Times at the edge: RFC 3339 in UTC with microseconds."""

from datetime import UTC, datetime


def time_text(moment: datetime) -> str:
    """Return ``2026-01-31T12:00:00.000000Z`` and the like."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
