"""``/failures/analysis``: why payments fail, by what they have in common."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from ledger import clock
from ledger.ids import EPOCH
from ledger.models import Asset
from ledger.money import to_text
from ops.api.failure_serializers import FailureAnalysisAnswer
from ops.failures.analysis import DIMENSIONS, LONGEST, Analysis, Chosen, Group, add_amounts, analyse, change, examples
from ops.failures.naming import titles
from ops.windows import Window
from walletplatform.api.problems import Problem, invalid
from walletplatform.api.query import choice_parameter, time_parameter
from walletplatform.api.responses import json_response
from walletplatform.api.schema import operation
from walletplatform.api.times import time_text
from walletplatform.api.views import ApiView

MOST_GROUPS = 100
# The hours of the longest window, of which the first and the last may be cut.
MOST_HOURS = 30 * 24 + 1


class FailureAnalysisView(ApiView):
    scopes = {"GET": "ops:read"}
    parameters = {"GET": frozenset({"from", "to", "by"})}

    @operation(
        "Analyse failures",
        answer=FailureAnalysisAnswer,
        parameters=[
            OpenApiParameter("from", OpenApiTypes.DATETIME, description="RFC 3339, inclusive; a day before `to`."),
            OpenApiParameter("to", OpenApiTypes.DATETIME, description="RFC 3339, exclusive; now."),
            OpenApiParameter("by", str, enum=list(DIMENSIONS), default="code"),
        ],
        description="Failed payments of 30 days at most, by what they have in common, beside the window before and the "
        "same window a week before. A client that is bound to assets sees failures in these. Of a code, a category, a "
        f"client or a wallet the {MOST_GROUPS} largest groups; of hours all that have failures.",
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        if self.principal.is_user:
            raise Problem("forbidden", "The analysis of failures is for client systems.")
        by = choice_parameter(request.GET, "by", DIMENSIONS) or "code"
        assets = self.principal.assets
        analysis = analyse(
            window=_window(request.GET),
            by=[by],
            chosen=Chosen(assets=None if assets is None else sorted(assets)),
            limit=MOST_HOURS if by == "hour" else MOST_GROUPS,
        )
        add_amounts(analysis, by)
        return json_response(_represent(analysis, by))


def _window(query: QueryDict) -> Window:
    ends = _moment(query, "to") or clock.now()
    begins = _moment(query, "from") or ends - timedelta(days=1)
    if begins >= ends:
        raise invalid("/from", "after_to", "The window would end before it begins.")
    if ends - begins > LONGEST:
        raise invalid("/from", "too_long", f"A window has {LONGEST.days} days at most.")
    return Window(begins, ends)


def _moment(query: QueryDict, name: str) -> datetime | None:
    """Read a time of which there can be failures: what is compared with lies before it, and dates have a first."""
    moment = time_parameter(query, name)
    if moment is not None and moment < EPOCH:
        raise invalid(f"/{name}", "too_early", "Nothing happened then.")
    return moment


def _represent(analysis: Analysis, by: str) -> dict[str, Any]:
    groups = analysis.groups[by]
    if by == "hour":
        groups.sort(key=lambda group: group.key)
    scales = dict(Asset.objects.filter(code__in=analysis.total.amounts).values_list("code", "scale"))
    named, found = titles(by, [group.key for group in groups]), examples(analysis, by)
    return {
        "from": time_text(analysis.window.begins),
        "to": time_text(analysis.window.ends),
        "by": by,
        "total": _counted(analysis.total, scales),
        "groups": [
            {
                "key": group.key,
                "title": named[group.key],
                "share": f"{group.failures / analysis.total.failures:.4f}",
                "examples": found.get(group.key, []),
            }
            | _counted(group, scales)
            for group in groups
        ],
        "has_more": by in analysis.more,
    }


def _counted(group: Group, scales: dict[str, int]) -> dict[str, Any]:
    return {
        "failures": group.failures,
        "amounts": [
            {"asset": asset, "amount": to_text(minor, scales[asset])} for asset, minor in sorted(group.amounts.items())
        ],
        "previous": group.previous,
        "change": _ratio(change(group.failures, group.previous)),
        "week_before": group.week_before,
        "week_change": _ratio(change(group.failures, group.week_before)),
        "first_seen": time_text(group.first_seen) if group.first_seen else None,
        "last_seen": time_text(group.last_seen) if group.last_seen else None,
    }


def _ratio(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"
