"""The overview in a browser: it stays right by itself, says so when it cannot, and each figure leads on."""

from __future__ import annotations

import re

import pytest

from ops.overview.snapshot import SECONDS
from payments.models import Payment
from tests.actors import actor
from tests.browser.driving import seen_by
from tests.ops.staff import person

POLL = "**/admin/overview/figures/**"
SETTLED = "Chart.getChart('overview-payments').data.datasets[0].data.reduce((sum, one) => sum + one, 0)"


@pytest.fixture
def viewer(world):
    return person("viewer")


def pay_again(world):
    """Do once more what somebody did: a top-up out of the story, by the money path."""
    shop, wallet = actor("client"), Payment.objects.filter(kind="topup", status="SETTLED").latest("id").receiver_id
    assert shop.post("/topups", {"wallet_id": str(wallet), "amount": "1"}).status_code == 201


def test_it_stays_right_while_somebody_looks_and_the_chart_is_the_same_one(world, browser, viewer):
    with seen_by(browser, world, viewer) as page:
        page.clock.install()
        page.goto("/admin/?range=30d")
        page.wait_for_function("window.Chart.getChart('overview-payments')")
        page.evaluate("window.first = Chart.getChart('overview-payments')")
        before = page.evaluate(SETTLED)
        pay_again(world)

        # The read model takes it in, what was kept for a few seconds is read anew, and the next poll brings it.
        for _ in range(20):
            page.wait_for_timeout(SECONDS * 100)
            with page.expect_response(POLL):
                page.clock.fast_forward(16_000)
            page.wait_for_timeout(50)
            if page.evaluate(SETTLED) > before:
                break
        assert page.evaluate(SETTLED) == before + 1
        assert page.evaluate("window.first === Chart.getChart('overview-payments')")
        assert page.locator(".ops-stale").is_hidden()


def test_it_says_that_it_is_stale_and_asks_again_with_growing_pauses(world, browser, viewer):
    with seen_by(browser, world, viewer) as page:
        page.clock.install()
        page.goto("/admin/?range=24h")
        page.wait_for_function("window.Chart.getChart('overview-payments')")
        asked = []

        def fail(route):
            asked.append(route.request.url)
            route.abort()

        page.route(POLL, fail)
        page.clock.fast_forward(16_000)
        page.wait_for_timeout(100)
        assert page.locator(".ops-stale").is_hidden()
        page.clock.fast_forward(31_000)
        page.locator(".ops-stale").wait_for(state="visible")
        assert re.search(r"nothing came since \d\d:\d\d:\d\d UTC", page.locator(".ops-stale").inner_text())
        page.clock.fast_forward(31_000)
        page.wait_for_timeout(100)
        assert len(asked) == 2

        page.unroute(POLL)
        with page.expect_response(POLL):
            page.clock.fast_forward(61_000)
        page.locator(".ops-stale").wait_for(state="hidden")


def test_a_bar_leads_to_its_reason_and_the_range_goes_with_it(world, browser, viewer):
    with seen_by(browser, world, viewer) as page:
        page.goto("/admin/?range=30d")
        page.wait_for_function("window.Chart.getChart('overview-reasons')")
        place = page.evaluate("(() => { const bar = Chart.getChart('overview-reasons').getDatasetMeta(0).data[0];"
                              " return { x: bar.x / 2 + bar.base / 2, y: bar.y }; })()")  # fmt: skip
        page.locator("#overview-reasons").click(position=place)
        page.wait_for_url("**/admin/failures/*/?range=30d")
        assert page.locator("dt", has_text="What to do next").is_visible()
        page.get_by_role("link", name="All failures").click()
        page.wait_for_url("**/admin/failures/?range=30d")


def test_the_numbers_of_a_chart_are_a_table_too(world, browser, viewer):
    with seen_by(browser, world, viewer) as page:
        page.goto("/admin/?range=30d")
        page.wait_for_function("window.Chart.getChart('overview-payments')")
        page.locator("details.ops-chart-table summary").first.click()
        cells = page.locator("#overview-payments-table tbody tr td:nth-child(2)").all_inner_texts()
        assert sum(map(int, cells)) == page.evaluate(SETTLED)
        assert page.evaluate("document.querySelector('.ops-chart').clientHeight") > 200
