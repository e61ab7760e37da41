"""Chromium, as somebody in the console; whatever goes wrong in it, seen or unseen, fails the test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request, Response

from tests.browser.world import World
from tests.ops.staff import console
from walletplatform.identity.models import User

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
Scheme = Literal["light", "dark"]


def chromium_or_skip() -> None:
    """On a developer's machine without Chromium the journeys are skipped, in CI they fail."""
    if not CHROMIUM.exists() and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed (Debian: chromium)")


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)


class Trouble:
    """What a page did that no page of ours may: errors, answers of 500, words with other hosts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.found: list[str] = []

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"script: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # A refusal that a test provokes is told by the browser as an error, too; its answer is looked at there.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.found.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and parts.netloc != urlsplit(self.world.address).netloc:
            self.found.append(f"elsewhere: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 500:
            self.found.append(f"{response.status}: {response.url}")


@contextmanager
def seen_by(
    browser: Browser,
    world: World,
    user: User | None,
    *,
    size: dict[str, int] = WIDE,
    scheme: Scheme = "light",
    verified_ago: float = 0,
) -> Iterator[Page]:
    """
    Open a page in which ``user`` is logged in (nobody where None); trouble in it fails when it is left.

    ``verified_ago`` is how many seconds ago they showed their second factor.
    """
    context: Any = browser.new_context(
        base_url=world.address, viewport=size, color_scheme=scheme, timezone_id="UTC", reduced_motion="reduce"
    )
    try:
        if user is not None:
            session = console(user, verified_ago=verified_ago).cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": world.address}])
        page = context.new_page()
        page.set_default_timeout(10_000)
        trouble = Trouble(world)
        trouble.watch(page)
        yield page
        assert not trouble.found, "\n".join(trouble.found)
    finally:
        context.close()
