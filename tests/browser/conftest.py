"""One world for all journeys: it goes when they are done, and leaves the machine to the other tests."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from ledger.database import close_money_pool
from tests.browser.driving import chromium_or_skip, launch
from tests.browser.world import World, make_world
from tests.conftest import drop_database, make_database, use_database


@pytest.fixture(scope="session", autouse=True)
def patient() -> None:
    # Playwright runs an event loop in this thread, which Django would take for its own.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=20_000)
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd tells of each connection


@pytest.fixture(scope="package")
def running(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    chromium_or_skip()
    name = f"browser_{os.getpid()}"
    make_database(name)
    world = make_world(name, tmp_path_factory.mktemp("world"), payments=800, days=10)
    try:
        world.start()
        yield world
    finally:
        world.stop()
        drop_database(name)


@pytest.fixture
def world(running: World, database: str) -> Iterator[World]:
    """The world, with this process's own Django looking at its database."""
    close_money_pool()
    use_database(running.name)
    yield running
    close_money_pool()
    use_database(database)


@pytest.fixture(scope="module")
def browser(patient: None) -> Iterator[Browser]:
    """Of a module: its event loop must be gone from this thread before tests that run one of their own."""
    chromium_or_skip()
    with sync_playwright() as playwright:
        launched = launch(playwright)
        yield launched
        launched.close()
