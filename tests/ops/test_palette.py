"""The palette: from what somebody has in hand to its page, for those who may see it."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events.sequencer import sequence
from ledger.models import Account, Entry
from ops.console.palette import MOST, find
from payments.models import Payment
from tests.ops.staff import console, person, root
from walletplatform.identity.models import Client, User


@pytest.fixture
def paid(shop):
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    key = f"Order-{uuid4().hex}"
    return {"ann": ann, "bob": bob, "key": key, "payment": shop.pay(ann, bob, "4.00", key=key).json()["id"]}


def links(user, term):
    return {result.link for result in find(user, term)}


def page(name, pk):
    return reverse(f"admin:{name}_change", args=[pk])


def test_an_id_a_key_a_request_and_a_name_lead_to_their_pages(shop, paid):
    user = root()
    owner = User.objects.create_user(f"Zoe-{uuid4().hex}")
    wallet = shop.wallet(owner=owner.pk)
    client = Client.objects.create(name=f"Shop {uuid4().hex}", secret_hash=b"", scopes=[])
    entry = Entry.objects.filter(transaction_id=paid["payment"])[0].pk
    treasury = Account.objects.get(asset="EUR", kind="treasury").pk
    while sequence():
        pass
    request = Payment.objects.get(pk=paid["payment"]).request_id
    payment = page("payments_payment", paid["payment"])

    assert {payment, page("ledger_transaction", paid["payment"])} <= links(user, paid["payment"])
    assert links(user, f"  {paid['payment'].upper()} ") == links(user, paid["payment"])
    assert payment in links(user, paid["key"])
    assert payment in links(user, request)
    assert page("wallets_wallet", paid["ann"]) in links(user, paid["ann"])
    assert page("ledger_entry", entry) in links(user, str(entry))
    assert page("ledger_account", treasury) in links(user, str(treasury))
    assert page("ledger_asset", "EUR") in links(user, "eur")
    for term in (owner.username, owner.username[:20], str(owner.pk)):
        assert {page("wallets_wallet", wallet), page("identity_user", owner.pk)} <= links(user, term), term
    for term in (client.name, client.name[:20], str(client.pk)):
        assert page("identity_client", client.pk) in links(user, term), term


def test_a_prefix_asks_for_one_kind_only(paid):
    assert links(root(), f"tx: {paid['payment']}") == {page("ledger_transaction", paid["payment"])}
    assert links(root(), f"P:{paid['payment']}") == {page("payments_payment", paid["payment"])}
    assert links(root(), "p:") == set()


def test_words_lead_to_pages_and_ready_made_lists():
    assert reverse("admin:payments_payment_changelist") in links(root(), "payments")
    assert f"{reverse('admin:wallets_wallet_changelist')}?status=SUSPENDED" in links(root(), "suspended w")
    assert links(root(), "no such thing at all") == set()


def test_nobody_is_shown_what_they_may_not_open(paid):
    viewer, person_of_people = person("viewer"), person("administrator")
    other = User.objects.create_user(f"secret-{uuid4().hex}")
    assert page("identity_user", other.pk) in links(person_of_people, other.username)
    assert not [link for link in links(viewer, other.username) if "/identity/" in link]
    assert not [link for link in links(viewer, "audit") if "audit" in link]
    plain = User.objects.create_user(f"nobody-{uuid4().hex}", is_staff=True)
    assert links(plain, paid["payment"]) == set()


def test_of_each_kind_a_few_are_shown(shop):
    owner = uuid4()
    for _ in range(MOST + 2):
        shop.wallet(owner=owner)
    assert len([one for one in find(root(), str(owner)) if "/wallets/" in one.link]) == MOST


@pytest.mark.parametrize("term", ["", " ", "\0", "a\0b", ":", "p:", "'; --", "%", "x" * 5000, "😀", "0" * 36])
def test_nonsense_finds_nothing_and_harms_nothing(term):
    answer = console(root()).get(reverse("admin:search"), {"s": term, "extended": "1"})
    assert answer.status_code == 200


def test_the_palette_is_fresh_and_shows_names_as_text(shop):
    http = console(root())
    name = f"<b>{uuid4().hex}"
    assert name not in http.get(reverse("admin:search"), {"s": name[:20], "extended": "1"}).text
    Client.objects.create(name=name, secret_hash=b"", scopes=[])
    answer = http.get(reverse("admin:search"), {"s": name[:20], "extended": "1"})
    assert f"&lt;b&gt;{name[3:]}" in answer.text
    assert "no-store" in answer["Cache-Control"]


def test_a_search_asks_little(paid):
    user = root()
    with CaptureQueriesContext(connection) as asked:
        find(user, paid["payment"])
    assert len(asked) <= 10
