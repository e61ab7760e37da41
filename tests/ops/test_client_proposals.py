"""What client systems ask for over the API and a person decides about: unfreezing, and giving back a lot."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from django.db import connection

from ops.approvals.deciding import approve, reject
from ops.approvals.models import Approval
from ops.approvals.thresholds import largest
from payments.commands import Reverse, Review
from payments.engine import execute
from tests.actors import actor
from tests.ledger.test_database_rules import connect
from tests.money import snapshot
from tests.ops.staff import person
from walletplatform.audit.models import AuditEntry
from walletplatform.identity.models import Client
from wallets.api.views import get_wallet


@pytest.fixture
def frozen(shop):
    wallet = shop.wallet(holding="5.00")
    shop.set_status(wallet, "SUSPENDED")
    return wallet


@pytest.fixture
def paid(shop, settings):
    settings.LARGE_REFUNDS = {"EUR": "2.50"}
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    return {"ann": ann, "bob": bob, "payment": shop.pay(ann, bob, "4.00").json()["id"]}


def decided(answer, by=approve, **more):
    approval = Approval.objects.get(pk=answer.json()["id"])
    more = {"seen": approval.payload_sha256} if by is approve else {"note": "not now"}
    return by(checker=person("approver"), approval_id=approval.pk, **more)


def test_a_client_asks_to_unfreeze_and_a_person_decides(shop, frozen):
    before = snapshot()
    answer = shop.set_status(frozen, "ACTIVE")
    assert (answer.status_code, answer.json()["state"], answer.json()["target_id"]) == (202, "PENDING", frozen)
    assert snapshot() == before
    again = shop.set_status(frozen, "ACTIVE")
    assert (again.status_code, again.json()["id"]) == (202, answer.json()["id"])

    assert decided(answer).state == "EXECUTED"

    assert shop.get(f"/wallets/{frozen}").json()["status"] == "ACTIVE"
    assert shop.get(f"/approvals/{answer.json()['id']}").json()["state"] == "EXECUTED"
    steps = AuditEntry.objects.filter(object_id=answer.json()["id"]).order_by("id")
    assert [(entry.action, entry.actor_kind) for entry in steps] == [
        ("approval.propose", "client"), ("approval.approve", "staff"), ("approval.execute", "command"),
    ]  # fmt: skip


def test_a_rejected_question_leaves_the_wallet_frozen(shop, frozen):
    answer = shop.set_status(frozen, "ACTIVE")
    decided(answer, reject)
    assert shop.get(f"/wallets/{frozen}").json()["status"] == "SUSPENDED"
    assert shop.set_status(frozen, "ACTIVE").json()["id"] != answer.json()["id"]


def test_a_stale_version_asks_for_nothing(shop, frozen):
    body = {"status": "ACTIVE", "reason": "all well"}
    stale = shop.send("PATCH", f"/wallets/{frozen}/status", body, If_Match='"1"')
    assert (stale.status_code, Approval.objects.filter(target_id=frozen).exists()) == (412, False)
    assert shop.send("PATCH", f"/wallets/{frozen}/status", body, If_Match='"2"').status_code == 202


def test_a_version_guessed_ahead_does_not_unfreeze_what_is_suspended_meanwhile(shop, monkeypatch):
    wallet, read = shop.wallet(), threading.Event()

    def read_it(*asked):
        found = get_wallet(*asked)
        read.set()
        return found

    monkeypatch.setattr("ops.api.guarded.get_wallet", read_it)
    version = int(shop.get(f"/wallets/{wallet}").headers["ETag"].strip('"'))

    def unfreeze():
        try:
            body = {"status": "ACTIVE", "reason": "back again"}
            return shop.send("PATCH", f"/wallets/{wallet}/status", body, If_Match=f'"{version + 1}"').status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as beside, connect("owner") as owner:
        owner.execute("UPDATE accounts SET open = false WHERE id = %s", [wallet])
        owner.execute("UPDATE wallets SET status = 'SUSPENDED', version = version + 1 WHERE id = %s", [wallet])
        rival = beside.submit(unfreeze)
        assert read.wait(60)  # as ACTIVE
        owner.commit()
        assert rival.result() == 412
    assert shop.get(f"/wallets/{wallet}").json()["status"] == "SUSPENDED"


def test_who_may_not_see_the_wallet_or_the_proposal_finds_neither(shop, frozen):
    other = actor("client", assets=frozenset({"GEM"}))
    assert other.set_status(frozen, "ACTIVE").status_code == 404
    answer = shop.set_status(frozen, "ACTIVE")
    for who in (actor("client"), actor("user")):
        assert who.get(f"/approvals/{answer.json()['id']}").status_code == 404


def test_the_proposal_of_a_client_that_was_stopped_is_not_approved(frozen):
    client = Client.objects.create(name=uuid4().hex, secret_hash=b"", scopes=["wallets:write"], assets=None)
    its = actor("client", id=client.pk)
    answer = its.set_status(frozen, "ACTIVE")
    Client.objects.filter(pk=client.pk).update(active=False)
    with pytest.raises(Exception, match="maker_lost_right"):
        decided(answer)


def test_a_large_refund_waits_for_a_person_under_its_key(shop, paid):
    path = f"/payments/{paid['payment']}/refund"
    assert shop.post(path, {"amount": "1.00"}).status_code == 201
    assert shop.post(path, {"amount": "0.50"}).status_code == 201
    before, key = snapshot(), uuid4().hex
    answer = shop.post(path, {"amount": "1.01", "reason": "broken"}, key=key)  # with the others 2.51
    assert (answer.status_code, answer.json()["amount"], answer.json()["asset"]) == (202, "1.01", "EUR")
    replayed = shop.post(path, {"amount": "1.01", "reason": "broken"}, key=key)
    assert (replayed.content, replayed["Idempotency-Replayed"]) == (answer.content, "true")
    assert shop.post(path, {"amount": "1.02"}, key=key).status_code == 422
    assert shop.post(path, {"amount": "1.01"}).status_code == 409
    assert {name: value for name, value in snapshot().items() if name != "idempotency_keys"} == {
        name: value for name, value in before.items() if name != "idempotency_keys"
    }

    assert decided(answer).state == "EXECUTED"

    assert shop.balance(paid["ann"]) == "8.51"
    made = shop.get(f"/approvals/{answer.json()['id']}").json()["result"]["payment_id"]
    assert shop.get(f"/payments/{made}").json()["kind"] == "refund"


def test_no_smaller_steps_or_other_verbs_lead_around_it_unseen(shop, paid):
    whole = shop.post(f"/payments/{paid['payment']}/refund", {})
    assert (whole.status_code, whole.json()["amount"]) == (202, "4.00")
    reversal = shop.post(f"/payments/{paid['payment']}/reverse", {})
    assert (reversal.status_code, reversal.json()["action"]) == (202, "payment.reverse")
    assert shop.balance(paid["ann"]) == "6.00"


def test_a_refund_that_can_never_be_right_is_refused_at_once(shop, paid):
    for body, status in (({"amount": "4.01"}, 202), ({"amount": "3.001"}, 422), ({"amount": "-3"}, 400)):
        answer = shop.post(f"/payments/{paid['payment']}/refund", body)
        assert answer.status_code == (409 if body["amount"] == "4.01" else status), answer.content
    assert shop.post(f"/payments/{uuid4()}/refund", {"amount": "3.00"}).status_code == 404


def test_an_asset_that_is_not_named_is_given_back_as_before(shop, settings):
    settings.LARGE_REFUNDS = {}
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    payment = shop.pay(ann, bob, "4.00").json()["id"]
    assert shop.post(f"/payments/{payment}/refund", {}).status_code == 201


@pytest.fixture
def waiting(shop, paid, settings):
    """A large payment that waits for somebody's decision."""
    settings.PAYMENT_POLICY = "tests.payments.policies.by_metadata"
    return shop.pay(paid["ann"], paid["bob"], "5.00", metadata={"policy": "review"}).json()["id"]


def test_what_happens_in_the_same_batch_is_not_reversed_by_one(shop, paid, waiting):
    def command(kind, **more):
        key = uuid4().hex
        return kind(
            principal=shop.principal, key=key, fingerprint=bytes(32), request_id=key, traceparent="",
            payment_id=UUID(waiting), **more,
        )  # fmt: skip

    reviewed, refused = execute([command(Review, approve=True), command(Reverse, at_most=250)])
    assert (reviewed.status, refused.code) == (200, "lock_timeout")
    assert shop.balance(paid["ann"]) == "1.00"
    assert execute([command(Reverse, at_most=500)])[0].status == 201


def test_a_payment_that_happens_meanwhile_is_not_reversed_by_one(shop, paid, waiting):
    def call(verb, body):
        try:
            return shop.post(f"/payments/{waiting}/{verb}", body).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as several, connect("owner") as owner:
        owner.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", [paid["bob"]])
        approved = several.submit(call, "review", {"approve": True})
        time.sleep(0.2)
        reversed_ = several.submit(call, "reverse", {"reason": "at once"})
        time.sleep(0.2)
        owner.rollback()
        assert approved.result() == 200
        # Too early: 409. Too late: 202. In between, read as one that nothing could be given back of: to be asked again.
        assert reversed_.result() in (409, 429, 202)
    assert shop.balance(paid["ann"]) == "1.00"


def test_small_refunds_at_once_are_no_large_one(shop, paid, monkeypatch):
    both = threading.Barrier(2, timeout=60)

    def read_by_both(payment):
        both.wait()  # what was given back by now: nothing
        return largest(payment)

    def refund(place):
        try:
            return shop.post(f"/payments/{paid['payment']}/refund", {"amount": "2.00"}).status_code
        finally:
            connection.close()

    with monkeypatch.context() as patched, ThreadPoolExecutor(2) as several:
        patched.setattr("ops.api.guarded.largest", read_by_both)
        assert sorted(several.map(refund, range(2))) == [201, 429]
    assert shop.balance(paid["ann"]) == "8.00"
    assert shop.post(f"/payments/{paid['payment']}/refund", {"amount": "2.00"}).status_code == 202
