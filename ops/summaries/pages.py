"""Addresses of the console's pages, by name."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from ops.summaries.windows import Window


def page(name: str, *args: object) -> str:
    """Return a page's address in the console; "" where it has no such page."""
    try:
        return reverse(f"admin:{name}", args=args)
    except NoReverseMatch:
        return ""


def payments(window: Window, **filters: str) -> str:
    """Return the address of the list of a window's payments."""
    times = {"from": f"{window.begins_at:%Y-%m-%dT%H:%M}", "to": f"{window.ends_at:%Y-%m-%dT%H:%M}"}
    return f"{page('payments_payment_changelist')}?{urlencode(filters | times)}"
