"""
``make screenshots``: every page of the console as a person sees it, into ``build/screenshots``.

A folder for each of wide and narrow, light and dark; a file for each page, up to ``TALLEST`` pixels of it.
"""

from __future__ import annotations

import shutil

import pytest

from tests.browser.driving import NARROW, WIDE, seen_by
from tests.browser.pages import pages
from tests.conftest import ROOT
from tests.ops.staff import root

TALLEST = 2600
FOLDER = ROOT / "build" / "screenshots"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_take_them(world, browser, size, scheme, request):
    folder = FOLDER / request.node.callspec.id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with seen_by(browser, world, root(), size=size, scheme=scheme) as page:
        looked_at = pages()
        for number, (name, address) in enumerate(looked_at.items(), start=1):
            print(f"\r{folder.name:14} {number:3} of {len(looked_at)}  {name:40}", end="", flush=True)
            page.goto(address)
            page.wait_for_load_state("networkidle")
            # A window as high as the page, so that what sticks to its edges stands where it belongs.
            height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
            page.set_viewport_size({"width": size["width"], "height": max(height, size["height"])})
            page.screenshot(path=folder / f"{name}.png", animations="disabled")
            page.set_viewport_size(size)
    print(f"\r{folder.name:14} {len(looked_at)} pages in {folder.relative_to(ROOT)}{'':40}", flush=True)
