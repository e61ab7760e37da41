"""The console's first look: everything readable, linked and searchable; nothing of the ledger editable."""

import pytest
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from events import log
from events.models import Cursor, Event, ParkedEvent
from events.sequencer import sequence
from ledger.models import Entry
from ops.dashboard import NAME
from tests.money import snapshot
from tests.ops.staff import console as console_of
from tests.ops.staff import root
from walletplatform.cache.redis import ask

MODELS = [
    "ledger_asset", "ledger_account", "ledger_transaction", "ledger_entry", "wallets_wallet", "payments_payment",
    "events_event", "events_cursor", "events_parkedevent", "events_webhookendpoint", "events_webhookdelivery",
]  # fmt: skip


@pytest.fixture
def console():
    return console_of(root())


@pytest.fixture
def paid(shop):
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    payment = shop.pay(ann, bob, "4.00", key=f"console-{ann}").json()["id"]
    entry = str(Entry.objects.get(transaction_id=payment, leg=1).pk)
    return {"ann": ann, "bob": bob, "payment": payment, "entry": entry, "key": f"console-{ann}"}


def found(http, model, term):
    page = http.get(reverse(f"admin:{model}_changelist"), {"q": term})
    assert page.status_code == 200
    return {str(row.pk) for row in page.context["cl"].result_list}


@pytest.mark.parametrize("model", MODELS)
def test_every_list_opens_without_counting(console, paid, model):
    # The first page that somebody opens notes that they are there, and what waits is counted every ten seconds.
    console.get(reverse(f"admin:{model}_changelist"))
    with CaptureQueriesContext(connection) as captured:
        page = console.get(reverse(f"admin:{model}_changelist"))

    assert page.status_code == 200
    # Sessions and users may be counted, tables of money may not.
    assert not [q["sql"] for q in captured if "COUNT(" in q["sql"].upper() and "ledger" in q["sql"]]
    assert len(captured) <= 12


@pytest.mark.parametrize(
    ("model", "row"),
    [("wallets_wallet", "ann"), ("payments_payment", "payment"), ("ledger_transaction", "payment"),
     ("ledger_entry", "entry"), ("ledger_account", "ann")],
)  # fmt: skip
def test_every_page_opens_and_links_on(console, paid, model, row):
    page = console.get(reverse(f"admin:{model}_change", args=[paid[row]]))

    assert page.status_code == 200
    assert paid["ann"] in page.content.decode()


def test_a_payments_page_shows_its_double_entry(console, paid):
    page = console.get(reverse("admin:payments_payment_change", args=[paid["payment"]])).content.decode()

    assert '<table class="ops-postings">' in page
    assert "4.00\N{NO-BREAK SPACE}EUR" in page
    assert "6.00\N{NO-BREAK SPACE}EUR" in page


def test_things_are_found_by_id_user_and_key(console, paid, shop, ann):
    own = shop.wallet(owner=ann.id)

    assert found(console, "wallets_wallet", paid["ann"]) == {paid["ann"]}
    assert found(console, "wallets_wallet", str(ann.id)) == {own}
    assert found(console, "payments_payment", paid["payment"]) == {paid["payment"]}
    assert found(console, "payments_payment", paid["key"]) == {paid["payment"]}
    assert found(console, "payments_payment", paid["bob"]) == {paid["payment"]}
    assert paid["entry"] in found(console, "ledger_entry", paid["payment"])
    assert found(console, "ledger_transaction", paid["payment"]) == {paid["payment"]}
    assert found(console, "payments_payment", "' OR 1=1 --") == set()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("page", ["add", "change", "delete"])
def test_nobody_adds_changes_or_deletes_anything_of_the_ledger(console, paid, model, page):
    rows = {
        "ledger_asset": "EUR",
        "ledger_account": paid["ann"],
        "wallets_wallet": paid["ann"],
        "ledger_entry": paid["entry"],
    }
    arguments = [] if page == "add" else [rows.get(model, paid["payment"])]
    before = snapshot()

    answer = console.post(
        reverse(f"admin:{model}_{page}", args=arguments), {"balance": "1", "amount": "1", "post": "yes"}
    )

    assert answer.status_code == 403
    assert snapshot() == before


def test_deleting_many_at_once_is_not_offered(console, paid):
    before = snapshot()
    for model in MODELS:
        console.post(
            reverse(f"admin:{model}_changelist"), {"action": "delete_selected", "_selected_action": [paid["payment"]]}
        )
    assert snapshot() == before


def test_strangers_are_sent_to_the_login():
    assert Http().get("/admin/payments/payment/").status_code == 302


def test_markup_of_a_customer_is_shown_as_text(console, shop):
    ann, bob = shop.wallet(holding="1.00"), shop.wallet()
    payment = shop.pay(ann, bob, "1.00", description="<script>alert(1)</script>").json()["id"]

    page = console.get(reverse("admin:payments_payment_change", args=[payment])).content.decode()

    assert "<script>alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_first_page_tells_what_is_in_wallets_and_how_old_that_is(console, shop, rare_asset):
    ask("dashboard", lambda redis: redis.delete(NAME), None)
    shop.wallet(rare_asset, holding="12.50")

    first = console.get("/admin/").content.decode()
    shop.wallet(rare_asset, holding="1.00")
    second = console.get("/admin/").content.decode()

    assert f"12.50 {rare_asset}" in first
    assert f"12.50 {rare_asset}" in second
    assert "s ago" in second


@pytest.mark.parametrize("stored", [b"", b"x", b"[1]", b"[9999999999, []]", b'{"a": 1}'])
def test_the_first_page_does_not_believe_what_is_malformed_or_from_the_future(console, shop, rare_asset, stored):
    ask("dashboard", lambda redis: redis.set(NAME, stored), None)
    shop.wallet(rare_asset, holding="12.50")

    assert f"12.50 {rare_asset}" in console.get("/admin/").content.decode()


def test_an_event_is_found_by_position_and_subject_and_shown_as_it_is_told(console, paid):
    while sequence():
        pass
    event = Event.objects.get(subject=paid["payment"])

    assert found(console, "events_event", str(event.position)) == {str(event.position)}
    assert found(console, "events_event", paid["payment"]) == {str(event.position)}
    page = console.get(reverse("admin:events_event_change", args=[event.position])).content.decode()
    assert reverse("admin:payments_payment_change", args=[paid["payment"]]) in page
    assert "specversion" in page


def test_it_is_seen_who_is_behind_and_what_was_set_aside(console, paid):
    while sequence():
        pass
    end = log.head()
    # The first by its name: the list has pages.
    Cursor.objects.create(name="a-slow-reader", position=end - 2)
    ParkedEvent.objects.create(
        consumer="a-slow-reader", position=end - 3, keys=[], error="ValueError: <b>poison</b>", tries=3,
        parked_at=timezone.now(),
    )  # fmt: skip

    readers = console.get(reverse("admin:events_cursor_changelist"))
    shown = {row.pk: (row.behind, row.parked) for row in readers.context["cl"].result_list}
    assert shown["a-slow-reader"] == (2, 1)
    assert "Nothing waits in the outbox" in readers.content.decode()
    aside = console.get(reverse("admin:events_parkedevent_changelist")).content.decode()
    assert "ValueError: &lt;b&gt;poison&lt;/b&gt;" in aside
