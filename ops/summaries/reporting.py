"""How a summary is shown to machines."""

from __future__ import annotations

from typing import Any

from ops.summaries.facts import Facts
from walletplatform.api.times import time_text


def represent(summary: Any) -> dict[str, Any]:
    """Return a summary that came ``with_costs``, without the facts behind it."""
    return {
        "id": str(summary.id),
        "kind": summary.kind,
        "state": summary.state,
        "begins_at": time_text(summary.begins_at),
        "ends_at": time_text(summary.ends_at),
        "code": summary.code or None,
        "title": summary.title or None,
        "claims": summary.claims,
        "written_by": summary.written_by or None,
        "why": summary.why or None,
        "detail": summary.detail or None,
        "model": summary.model or None,
        "prompt_version": summary.prompt_version or None,
        "tokens_in": summary.tokens_in,
        "tokens_out": summary.tokens_out,
        "cost": f"{summary.cost:f}",
        "created_at": time_text(summary.created_at),
        "finished_at": None if summary.finished_at is None else time_text(summary.finished_at),
    }


def represent_whole(summary: Any) -> dict[str, Any]:
    facts = list(Facts.read(summary.facts, summary.names)) if summary.facts else []
    shown = ("key", "label", "value", "unit", "before", "change", "direction", "subject")
    return represent(summary) | {
        "facts": [{name: getattr(fact, name) for name in shown} for fact in facts],
        "names": summary.names,
    }
