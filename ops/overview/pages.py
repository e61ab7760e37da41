"""The console's first page, and what it asks for every few seconds to stay right."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.template.loader import render_to_string
from django.urls import reverse

from ops.dashboard import balances
from ops.failures.pages import NEEDS
from ops.overview.cards import grouped
from ops.overview.inbox import inbox
from ops.overview.picks import Picks, picks
from ops.overview.snapshot import chart, snapshot


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the overview to the first page's context (unfold's DASHBOARD_CALLBACK), for who may see payments."""
    if not request.user.has_perm(NEEDS):
        return context | {"title": "Overview"}
    picked = picks(request)
    told = snapshot(picked)
    return context | _parts(request, picked, told) | {
        "title": "Overview",
        "picks": picked,
        "charts": [chart(one) for one in told["charts"]],
        "poll": reverse("admin:overview_figures") + picked.query(),
    }  # fmt: skip


def figures(request: HttpRequest) -> HttpResponse:
    """Answer with the overview's parts as they are now: pieces of HTML by their id, and charts by their name."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    if not request.user.has_perm(NEEDS):
        return HttpResponse(status=403)
    picked = picks(request)
    told = snapshot(picked)
    parts = _parts(request, picked, told)
    answer = {
        "as_of": f"{parts['as_of']:%H:%M:%S}",
        "parts": {
            f"ops-{name}": render_to_string(f"admin/overview/{name}.html", parts, request)
            for name in ("figures", "inbox", "clients")
        },
        "charts": {one.name: one.payload() for one in map(chart, told["charts"])},
    }
    return JsonResponse(answer, headers={"Cache-Control": "no-store"})


def _parts(request: HttpRequest, picked: Picks, told: dict[str, Any]) -> dict[str, Any]:
    amounts, age = balances()
    return {
        "cards": told["cards"],
        "watches": told["watches"],
        "clients": [_client(one, picked) for one in told["clients"]],
        "summary": told["summary"],
        "nothing": not told["payments"],
        "untouched": not told["events"],
        "said": picked.range.words,
        "as_of": datetime.fromisoformat(told["as_of"]),
        "now": picked.now,
        "inbox": inbox(request.user),
        "balances": [one | {"in_wallets": grouped(one["in_wallets"])} for one in amounts],
        "balances_age": age,
        "site": admin.site,
    }


def _client(one: dict[str, Any], picked: Picks) -> dict[str, Any]:
    return one | {
        "rate": f"{one['failed'] / one['payments'] * 100:.1f}\N{NO-BREAK SPACE}%",
        "width": f"{one['failed'] / one['payments'] * 100:.1f}",
        "link": reverse("admin:failures") + picked.query(client=one["id"]),
    }
