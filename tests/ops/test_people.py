"""People and client systems: rights given by two and taken by one, second factors reset, secrets shown once."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import pytest
from django.test import Client as Http
from django.urls import reverse
from django.utils.timezone import now
from django_otp.plugins.otp_totp.models import TOTPDevice

from ops.approvals.deciding import approve
from ops.approvals.models import Approval
from ops.approvals.proposing import propose
from ops.approvals.refusing import Refused
from tests.ops.staff import PASSWORD, code_of, console, person, root
from walletplatform.audit.models import AuditEntry
from walletplatform.identity import second_factor
from walletplatform.identity.models import Client, User

REASON = "agreed with the head of operations"


def on(user, act):
    return reverse(f"admin:identity_user_{act}", args=[user.pk])


def on_client(client, act):
    return reverse(f"admin:identity_client_{act}", args=[client.pk])


def roles(user):
    return sorted(User.objects.get(pk=user.pk).groups.values_list("name", flat=True))


def told(pk):
    return list(AuditEntry.objects.filter(object_id=str(pk)).order_by("id").values_list("action", flat=True))


def asked(user):
    return Approval.objects.get(target_id=user.pk)


def decide(http, approval, verdict="approve"):
    given = {"seen": approval.payload_sha256, "note": "no", "verdict": verdict}
    return http.post(reverse("admin:ops_approval_decide", args=[approval.pk]), given)


def token(body):
    http = Http(raise_request_exception=False)
    return http.post("/api/v1/auth/token", json.dumps(body), content_type="application/json")


def test_a_role_is_given_by_two_administrators_and_ends_the_sessions_before_it():
    user, maker = person("viewer"), person("administrator")
    its, http = console(user), console(maker)
    assert on(user, "propose_roles") in http.get(on(user, "change")).text
    http.post(on(user, "propose_roles"), {"roles": ["operator", "support"], "reason": REASON})
    approval = asked(user)
    assert roles(user) == ["viewer"]
    decide(http, approval)
    assert (roles(user), asked(user).state) == (["viewer"], "PENDING")

    checker = console(person("administrator"))
    assert (
        "becomes an active member of staff with the role: operator, support"
        in checker.get(reverse("admin:ops_approval_change", args=[approval.pk])).text
    )
    decide(checker, approval)

    assert (roles(user), asked(user).state) == (["operator", "support", "viewer"], "EXECUTED")
    assert its.get("/admin/").status_code == 302
    assert told(user.pk) == ["user.roles"]


@pytest.mark.parametrize("role", ["approver", "finance", "auditor"])
def test_who_decides_about_money_does_not_decide_about_roles(role):
    user = person("viewer")
    propose(maker=person("administrator"), action="user.roles", target_id=user.pk, reason=REASON, roles=["finance"])
    answer = decide(console(person(role)), asked(user))
    assert (answer.status_code, asked(user).state, roles(user)) == (403, "PENDING", ["viewer"])


def test_an_administrator_does_not_decide_about_money(shop):
    wallet = shop.wallet()
    shop.set_status(wallet, "SUSPENDED")
    propose(maker=person("operator"), action="wallet.activate", target_id=wallet, reason=REASON)
    assert decide(console(person("administrator")), Approval.objects.get(target_id=wallet)).status_code == 403


def test_a_role_is_not_given_to_somebody_who_has_changed_since():
    user = person("viewer")
    approval = propose(
        maker=person("administrator"), action="user.roles", target_id=user.pk, reason=REASON, roles=["finance"]
    )
    user.is_active = False
    user.save()
    with pytest.raises(Refused) as refusal:
        approve(checker=person("administrator"), approval_id=approval.pk, seen=approval.payload_sha256)
    assert (refusal.value.code, roles(user)) == ("target_changed", ["viewer"])


@pytest.mark.parametrize("given", [[], ["king"], ["viewer"], ["finance", "king"]])
def test_only_roles_that_there_are_and_somebody_lacks_are_proposed(given):
    user = person("viewer")
    with pytest.raises(Refused) as refusal:
        propose(maker=person("administrator"), action="user.roles", target_id=user.pk, reason=REASON, roles=given)
    assert refusal.value.code == "invalid"


def test_roles_are_taken_and_people_deactivated_at_once_but_never_by_themselves():
    user, administrator = person("operator"), person("administrator")
    http, its = console(administrator), console(user)
    http.post(on(user, "take_roles"), {"roles": ["operator"], "reason": REASON})
    assert (roles(user), its.get("/admin/").status_code) == ([], 302)
    its = console(User.objects.get(pk=user.pk))
    http.post(on(user, "deactivate"), {"reason": REASON})
    assert its.get("/admin/").status_code == 302
    assert told(user.pk) == ["user.take_roles", "user.deactivate"]
    for act in ("take_roles", "deactivate", "reset_second_factor"):
        code_of(administrator)
        answer = http.post(on(administrator, act), {"roles": ["administrator"], "reason": REASON})
        assert (answer.status_code, roles(administrator)) == (200, ["administrator"])
        assert "Not about yourself" in answer.text or "themselves" in answer.text
    assert second_factor.is_enrolled(administrator)


def test_a_superuser_is_not_touched_by_an_administrator():
    above = root()
    code_of(above)
    http = console(person("administrator"))
    for act in ("deactivate", "reset_second_factor"):
        assert "rights are a superuser" in http.post(on(above, act), {"reason": REASON}).text
    assert second_factor.is_enrolled(User.objects.get(pk=above.pk, is_active=True))


def test_an_administrator_resets_a_second_factor():
    user = person("finance")
    code_of(user)
    http, its = console(person("administrator")), console(user)
    assert on(user, "reset_second_factor") in http.get(on(user, "change")).text
    http.post(on(user, "reset_second_factor"), {"reason": "the phone was stolen"})
    assert not second_factor.is_enrolled(user)
    assert its.get("/admin/").status_code == 302
    entry = AuditEntry.objects.get(object_id=str(user.pk), action="user.reset_second_factor")
    assert (entry.reason, entry.actor_kind) == ("the phone was stolen", "staff")


def new_password(user):
    return reverse("admin:auth_user_password_change", args=[user.pk])


def test_no_administrator_alone_becomes_somebody_else():
    passwords = {"password1": "taken over 123", "password2": "taken over 123", "usable_password": "true"}
    one, other = console(person("administrator")), console(person("administrator"))
    user = person("approver")
    assert "take these away first" in one.post(new_password(user), passwords, follow=True).text
    code_of(user)
    one.post(new_password(user), passwords)
    assert User.objects.get(pk=user.pk).check_password("taken over 123")
    assert "another administrator" in one.post(on(user, "reset_second_factor"), {"reason": REASON}).text
    assert second_factor.is_enrolled(user)
    other.post(on(user, "reset_second_factor"), {"reason": REASON})
    assert not second_factor.is_enrolled(user)
    before = User.objects.get(pk=user.pk).password
    assert "another administrator" in other.post(new_password(user), passwords, follow=True).text
    assert User.objects.get(pk=user.pk).password == before


def test_a_right_that_the_maker_has_lost_is_no_ground_to_act_on(shop):
    wallet, maker = shop.wallet(), person("operator")
    shop.set_status(wallet, "SUSPENDED")
    approval = propose(maker=maker, action="wallet.activate", target_id=wallet, reason=REASON)
    maker.groups.clear()
    with pytest.raises(Refused) as refusal:
        approve(checker=person("approver"), approval_id=approval.pk, seen=approval.payload_sha256)
    assert refusal.value.code == "maker_lost_right"
    assert shop.get(f"/wallets/{wallet}").json()["status"] == "SUSPENDED"


def test_nothing_is_proposed_that_nobody_could_decide_about(own_database, story):
    maker = person("administrator")
    User.objects.exclude(pk=maker.pk).update(is_active=False)
    user = person("viewer")
    with pytest.raises(Refused) as refusal:
        propose(maker=maker, action="user.roles", target_id=user.pk, reason=REASON, roles=["finance"])
    assert (refusal.value.code, Approval.objects.filter(target_id=user.pk).exists()) == ("no_checker", False)


def test_roles_and_clients_are_told_in_words_and_edited_by_nobody():
    http = console(root())
    role = person("finance").groups.get()
    shown = http.get(reverse("admin:auth_group_change", args=[role.pk])).text
    assert "approve and reject what others propose" in shown
    client = Client.objects.create(name=f"c-{uuid4().hex}", secret_hash=b"", scopes=["treasury:write"])
    for name, pk in (("auth_group", role.pk), ("identity_client", client.pk)):
        for act, arguments in (("add", []), ("change", [pk]), ("delete", [pk])):
            answer = http.post(reverse(f"admin:{name}_{act}", args=arguments), {"name": "x", "post": "yes"})
            assert answer.status_code == 403, (name, act)
    assert "top up wallets and grant bonuses" in http.get(on_client(client, "change")).text


def secret_on(page):
    return re.search(r'class="ops-secret">([\w-]+)<', page.text).group(1)


def test_a_client_is_made_in_the_console_and_its_secret_shown_once():
    user, name = person("administrator"), f"shop-{uuid4().hex}"
    http, make = console(user), reverse("admin:identity_client_make")
    assert make in http.get(reverse("admin:identity_client_changelist")).text
    given = {"name": name, "scopes": ["wallets:read"], "assets": ["EUR"], "reason": REASON}
    page = http.post(make, given)
    assert "no-store" in page["Cache-Control"]
    client, secret = Client.objects.get(name=name), secret_on(page)
    assert token({"client_id": str(client.pk), "client_secret": secret}).status_code == 200
    assert (client.scopes, client.assets) == (["wallets:read"], ["EUR"])
    assert secret not in http.get(on_client(client, "change")).text
    entry = AuditEntry.objects.get(object_id=str(client.pk))
    assert (entry.action, entry.actor_name) == ("client.create", user.username)
    assert secret not in json.dumps(entry.after)
    again = http.post(make, given)
    assert (again.status_code, Client.objects.filter(name=name).count()) == (200, 1)
    assert "already" in again.text


def test_a_new_secret_ends_the_old_one_and_a_stopped_client_gets_no_token():
    client = Client(name=f"shop-{uuid4().hex}", scopes=["wallets:read"], assets=None)
    old = client.new_secret()
    client.save()
    http = console(person("administrator"))
    new = secret_on(http.post(on_client(client, "renew"), {"reason": REASON}))

    def status(secret):
        return token({"client_id": str(client.pk), "client_secret": secret}).status_code

    assert (status(old), status(new)) == (401, 200)
    http.post(on_client(client, "stop"), {"reason": REASON})
    assert status(new) == 401
    http.post(on_client(client, "let_in"), {"reason": REASON})
    assert status(new) == 200
    assert told(client.pk) == ["client.renew_secret", "client.deactivate", "client.activate"]


def status(client, secret):
    return token({"client_id": str(client.pk), "client_secret": secret}).status_code


def test_a_client_that_moves_money_gets_no_token_before_a_second_administrator_lets_it_in():
    maker, name = person("administrator"), f"shop-{uuid4().hex}"
    given = {"name": name, "scopes": ["wallets:read", "treasury:write"], "reason": REASON}
    page = console(maker).post(reverse("admin:identity_client_make"), given)
    assert "another administrator" in page.text
    client, secret = Client.objects.get(name=name), secret_on(page)
    assert status(client, secret) == 401

    [approval] = Approval.objects.filter(target_id=client.pk)
    decide(console(maker), approval)
    assert status(client, secret) == 401
    decide(console(person("approver")), approval)
    assert status(client, secret) == 401
    checker = console(person("administrator"))
    shown = checker.get(reverse("admin:ops_approval_change", args=[approval.pk])).text
    assert "top up wallets and grant bonuses" in shown
    assert name in shown
    decide(checker, approval)
    assert status(client, secret) == 200
    assert told(client.pk) == ["client.create", "client.activate"]


def test_a_client_that_moves_money_gets_a_new_secret_by_two_and_keeps_the_old_one_until_then():
    client = Client(name=f"shop-{uuid4().hex}", scopes=["payments:write"], assets=None)
    old = client.new_secret()
    client.save()
    new = secret_on(console(person("administrator")).post(on_client(client, "renew"), {"reason": REASON}))
    assert (status(client, old), status(client, new)) == (200, 401)
    [approval] = Approval.objects.filter(target_id=client.pk)
    assert new not in json.dumps(approval.payload)
    decide(console(person("administrator")), approval)
    assert (status(client, old), status(client, new)) == (401, 200)

    console(person("administrator")).post(on_client(client, "stop"), {"reason": REASON})
    console(person("administrator")).post(on_client(client, "let_in"), {"reason": REASON})
    assert status(client, new) == 401
    decide(console(person("administrator")), Approval.objects.get(target_id=client.pk, action="client.let_in"))
    assert status(client, new) == 200
    assert told(client.pk) == ["client.renew_secret", "client.deactivate", "client.activate"]


def test_a_client_whose_secret_leaked_is_stopped_gets_a_new_one_and_is_let_in_with_it():
    client = Client(name=f"shop-{uuid4().hex}", scopes=["payments:write"], assets=None)
    leaked = client.new_secret()
    client.save()
    pair = token({"client_id": str(client.pk), "client_secret": leaked}).json()
    administrators = [console(person("administrator")) for _ in range(2)]
    administrators[0].post(on_client(client, "stop"), {"reason": REASON})
    new = secret_on(administrators[0].post(on_client(client, "renew"), {"reason": REASON}))
    decide(administrators[1], Approval.objects.get(target_id=client.pk))
    administrators[0].post(on_client(client, "let_in"), {"reason": REASON})
    decide(administrators[1], Approval.objects.get(target_id=client.pk, action="client.let_in"))
    assert (status(client, leaked), status(client, new), refreshed(pair).status_code) == (401, 200, 401)


def test_no_client_is_made_that_nobody_could_let_in(own_database, story):
    maker = person("administrator")
    User.objects.exclude(pk=maker.pk).update(is_active=False)
    given = {"name": f"shop-{uuid4().hex}", "scopes": ["treasury:write"], "reason": REASON}
    page = console(maker).post(reverse("admin:identity_client_make"), given)
    assert "Nobody else may approve this" in page.text
    assert not Client.objects.filter(name=given["name"]).exists()


def test_a_secret_that_was_asked_for_before_another_took_effect_takes_no_effect():
    client = Client(name=f"shop-{uuid4().hex}", scopes=["payments:write"], assets=None)
    client.new_secret()
    client.save()
    late = secret_on(console(person("administrator")).post(on_client(client, "renew"), {"reason": REASON}))
    emergency = client.new_secret()
    client.save()
    approval = Approval.objects.get(target_id=client.pk)
    decide(console(person("administrator")), approval)
    approval.refresh_from_db()
    assert approval.state == "PENDING"
    assert (status(client, late), status(client, emergency)) == (401, 200)


def test_staff_get_a_token_with_their_second_factor_only():
    user = person("operator")
    given = {"username": user.username, "password": PASSWORD}
    assert token(given).status_code == 401
    code = code_of(user)
    assert token(given | {"code": "000000"}).status_code == 401
    TOTPDevice.objects.filter(user=user).update(throttling_failure_timestamp=now())
    assert token(given | {"code": code}).status_code == 401  # right, and too soon
    TOTPDevice.objects.filter(user=user).update(throttling_failure_timestamp=None, throttling_failure_count=0)
    assert token(given | {"code": code}).status_code == 200
    assert token(given | {"code": code}).status_code == 401


def refreshed(pair):
    return Http(raise_request_exception=False).post(
        "/api/v1/auth/token/refresh", {"refresh_token": pair["refresh_token"]}, content_type="application/json"
    )


def test_no_token_is_refreshed_once_the_credentials_it_came_of_are_good_for_nothing():
    client = Client(name=f"shop-{uuid4().hex}", scopes=["wallets:read"], assets=None)
    secret = client.new_secret()
    client.save()
    pair = token({"client_id": str(client.pk), "client_secret": secret}).json()
    assert refreshed(pair).status_code == 200
    console(person("administrator")).post(on_client(client, "renew"), {"reason": REASON})
    assert refreshed(pair).status_code == 401

    user = person("operator")
    pair = token({"username": user.username, "password": PASSWORD, "code": code_of(user)}).json()
    assert refreshed(pair).status_code == 200
    console(person("administrator")).post(on(user, "reset_second_factor"), {"reason": REASON})
    assert refreshed(pair).status_code == 401
