"""The audit trail: with every act, in its transaction, for ever."""

from __future__ import annotations

import json
from io import StringIO
from uuid import uuid4

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db.transaction import atomic
from django.urls import reverse

from tests.actors import actor
from tests.ledger.test_database_rules import connect
from tests.money import snapshot
from tests.ops.staff import PASSWORD, console, root
from walletplatform.audit.actors import of_job
from walletplatform.audit.models import AuditEntry
from walletplatform.audit.trail import record
from walletplatform.identity.models import Client, User


def trail(object_id, **more):
    return list(AuditEntry.objects.filter(object_id=str(object_id), **more).order_by("id"))


@pytest.fixture
def entry():
    with atomic():
        return record(actor=of_job("a job"), action="test.do", object_type="test", object_id=uuid4())


@pytest.fixture
def known_shop():
    """A client system that the platform knows by name."""
    client = Client(name=f"shop-{uuid4().hex}", scopes=[])
    client.new_secret()
    client.save()
    known = actor("client", id=client.pk)
    return known, client.name


@pytest.fixture
def unwritable():
    """No entry can be written meanwhile."""
    with connect("owner") as owner:
        owner.execute("REVOKE INSERT ON audit_entries FROM app")
    yield
    with connect("owner") as owner:
        owner.execute("GRANT INSERT ON audit_entries TO app")


def test_an_entry_is_written_within_a_transaction_or_not_at_all():
    with pytest.raises(RuntimeError, match="transaction of its act"):
        record(actor=of_job("a job"), action="test.do", object_type="test", object_id=1)


@pytest.mark.parametrize("role", ["default", "owner"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_entries SET reason = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries",
     "INSERT INTO audit_entries SELECT * FROM audit_entries LIMIT 1 ON CONFLICT (id) DO UPDATE SET reason = 'x'",
     "MERGE INTO audit_entries t USING audit_entries s ON t.id = s.id WHEN MATCHED THEN DELETE"],
)  # fmt: skip
def test_nobody_changes_or_removes_an_entry(entry, role, statement):
    refused = psycopg.errors.InsufficientPrivilege if role == "default" else psycopg.errors.IntegrityError
    with pytest.raises(refused), connect(role) as session:
        session.execute(statement)


def test_a_wallets_status_is_told_with_who_when_where_and_why(known_shop):
    shop, name = known_shop
    wallet = shop.wallet()
    body = {"status": "SUSPENDED", "reason": "stolen phone"}
    answer = shop.send(
        "PATCH", f"/wallets/{wallet}/status", body, If_Match='"1"', X_Request_ID="req-77", X_Forwarded_For="1.2.3.4"
    )
    assert answer.status_code == 200
    [told] = trail(wallet)
    assert (told.action, told.object_type, told.reason) == ("wallet.suspend", "wallet", "stolen phone")
    assert (told.actor_kind, told.actor_id, told.actor_name) == ("client", shop.id, name)
    assert (told.request_id, told.address) == ("req-77", "127.0.0.1")
    assert (told.before, told.after) == ({"status": "ACTIVE", "version": 1}, {"status": "SUSPENDED", "version": 2})


def test_what_was_refused_is_not_told_as_done(shop):
    wallet = shop.wallet(holding="1.00")
    assert shop.set_status(wallet, "CLOSED").status_code == 409
    assert trail(wallet) == []


def test_without_an_audit_entry_there_is_no_act(shop, unwritable):
    wallet = shop.wallet()
    before = snapshot()
    assert shop.set_status(wallet, "SUSPENDED").status_code == 500
    with pytest.raises(Exception, match="audit_entries"):
        call_command("create_client", f"c-{uuid4().hex}", "--scopes=wallets:read", stdout=StringIO())
    assert snapshot() == before


def test_a_webhook_endpoint_is_told_from_its_beginning_to_its_end_without_a_secret(shop, settings):
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = True
    made = shop.post("/webhook-endpoints", {"url": "http://127.0.0.1:9/hook"}).json()
    path = f"/webhook-endpoints/{made['id']}"
    shop.send("PATCH", path, {"description": "ours"})
    new = shop.post(f"{path}/rotate-secret", {}).json()
    shop.send("DELETE", path, b"")
    told = trail(made["id"])
    assert [one.action for one in told] == ["webhook.create", "webhook.change", "webhook.rotate", "webhook.remove"]
    assert (told[1].before["description"], told[1].after["description"]) == ("", "ours")
    assert (told[0].before, told[3].after) == (None, None)
    everything = json.dumps([[one.before, one.after] for one in told])
    assert made["secret"] not in everything
    assert new["secret"] not in everything


def test_a_repeated_request_is_told_once(shop, settings):
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = True
    key = uuid4().hex
    made, _ = (shop.post("/webhook-endpoints", {"url": "http://127.0.0.1:9/"}, key=key) for _ in range(2))
    assert len(trail(made.json()["id"])) == 1


def test_commands_are_told_with_whoever_ran_them():
    code, name, out = "A" + uuid4().hex[:10].upper(), f"c-{uuid4().hex}", StringIO()
    call_command("create_asset", code, "--name=A", "--kind=credit", "--scale=0", stdout=StringIO())
    call_command("create_client", name, "--scopes=wallets:read", "--json", stdout=out)
    made = json.loads(out.getvalue())
    [asset], [client] = trail(code), trail(made["client_id"])
    assert (asset.action, asset.actor_kind, asset.after["scale"]) == ("asset.create", "command", 0)
    assert (client.action, client.after["scopes"]) == ("client.create", ["wallets:read"])
    assert made["client_secret"] not in json.dumps(client.after)
    with pytest.raises(CommandError):
        call_command("create_asset", code, "--name=A", "--kind=credit", "--scale=0")
    assert len(trail(code)) == 1


def test_what_the_console_changes_of_people_and_clients_is_told():
    admin = root()
    http, name = console(admin), f"new-{uuid4().hex}"
    passwords = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    http.post(reverse("admin:identity_user_add"), {"username": name, **passwords})
    user = User.objects.get(username=name)
    fields = {"username": name, "email": "new@example.org", "is_staff": "on", "is_active": "on",
              "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}  # fmt: skip
    assert http.post(reverse("admin:identity_user_change", args=[user.pk]), fields).status_code == 302
    http.post(reverse("admin:auth_user_password_change", args=[user.pk]), passwords)
    made, changed, given = trail(user.pk)
    assert (made.action, made.before, made.actor_id) == ("user.create", None, admin.pk)
    # Rights are not the form's to give, whatever is posted.
    assert (changed.before["email"], changed.after["email"]) == ("", "new@example.org")
    assert not User.objects.get(pk=user.pk).is_staff
    assert (given.action, given.reason) == ("user.change", "Changed password.")

    client = Client(name=name, scopes=["wallets:read"])
    client.new_secret()
    client.save()
    http.post(reverse("admin:identity_client_stop", args=[client.pk]), {"reason": "no longer a partner"})
    [switched_off] = trail(client.pk)
    assert (switched_off.before["active"], switched_off.after["active"]) == (True, False)


def test_a_role_is_neither_made_nor_removed_in_the_console():
    http, name = console(root()), f"group-{uuid4().hex}"
    assert http.post(reverse("admin:auth_group_add"), {"name": name}).status_code == 403
    assert not Group.objects.filter(name=name).exists()
    viewer = Group.objects.get(name="viewer")
    assert http.post(reverse("admin:auth_group_delete", args=[viewer.pk]), {"post": "yes"}).status_code == 403
    assert Group.objects.filter(pk=viewer.pk).exists()
