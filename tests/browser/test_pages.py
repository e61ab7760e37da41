"""Every page of the console in a browser: whole, without trouble, and readable by anybody."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe

from tests.browser.driving import NARROW, WIDE, seen_by
from tests.browser.pages import MAIN, pages
from tests.ops.staff import root

# Telling of what is right as well would take twice as long.
ONLY_WRONG = {"resultTypes": ["violations"]}
GRAVE = ("serious", "critical")


def test_every_page_has_no_serious_accessibility_violation(world, browser):
    found = []
    with seen_by(browser, world, root(), size=WIDE) as page:
        for name, address in pages().items():
            page.goto(address)
            found += [f"{name}: {words}" for words in _violations(page)]
    assert not found, "\n".join(found)


def test_the_main_pages_have_none_in_the_dark_and_on_a_telephone(world, browser):
    found = []
    with seen_by(browser, world, root(), size=NARROW, scheme="dark") as page:
        for name, address in pages().items():
            page.goto(address)
            found += [f"{name}: {words}" for words in _too_wide(page)]
            if name in MAIN:
                found += [f"{name}: {words}" for words in _violations(page)]
    assert not found, "\n".join(found)


def _violations(page):
    for violation in Axe().run(page, options=ONLY_WRONG).response["violations"]:
        if violation["impact"] in GRAVE:
            nodes = ", ".join(node["html"][:160] for node in violation["nodes"][:3])
            yield f"{violation['id']}: {violation['help']}: {nodes}"


def _too_wide(page):
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        yield "wider than its window"
