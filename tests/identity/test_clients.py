"""Client systems: made by a command, shown their secret once, bound to what they were given."""

from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from tests.actors import actor
from tests.identity.test_tokens import create_client, get, post
from walletplatform.identity.models import Client, User
from walletplatform.identity.scopes import END_USER_SCOPES, STAFF_SCOPES, SUPERUSER_SCOPES


def test_a_secret_is_kept_as_its_hash_only():
    made = create_client()
    client = Client.objects.get(id=made["client_id"])

    assert made["client_secret"].encode() not in bytes(client.secret_hash)
    assert client.knows(made["client_secret"])
    assert not client.knows(made["client_secret"] + "x")
    assert not client.knows("")


def test_a_client_has_all_assets_unless_told_otherwise():
    out = StringIO()
    call_command("create_client", uuid4().hex, scopes="wallets:read", stdout=out)

    assert "assets         all" in out.getvalue()
    assert Client.objects.get(id=create_client()["client_id"]).assets is None


def test_a_client_bound_to_assets_sees_and_hands_on_no_others():
    made = create_client(scopes="wallets:read, users:token", assets=" GEM , BTC")
    client = Client.objects.get(id=made["client_id"])
    assert (client.scopes, client.assets) == (["wallets:read", "users:token"], ["GEM", "BTC"])

    token = post("token", made).json()["access_token"]
    bound = actor("client", scopes=frozenset({"users:token"}), assets=frozenset({"GEM"}))
    for_user = bound.post("/auth/user-tokens", {"user_id": str(uuid4())}, key=None).json()["access_token"]

    assert [a["code"] for a in get(token, "assets").json()["data"]] == ["BTC", "GEM"]
    assert [a["code"] for a in get(for_user, "assets").json()["data"]] == ["GEM"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scopes": ""}, "Name the client's scopes"),
        ({"scopes": " , "}, "Name the client's scopes"),
        ({"scopes": "ops:fly"}, "No such scope: ops:fly. Known: wallets:read"),
        ({"assets": ""}, "Name the client's assets"),
        ({"assets": ","}, "Name the client's assets"),
        ({"assets": "X" * 17}, "at most 16 characters"),
    ],
)
def test_a_client_is_not_made_from_a_slip(options, words):
    before = Client.objects.count()

    with pytest.raises(CommandError, match=words):
        create_client(**options)

    assert Client.objects.count() == before


def test_a_name_is_a_clients_own():
    name = uuid4().hex
    call_command("create_client", name, scopes="wallets:read", stdout=StringIO())

    with pytest.raises(CommandError, match=f"There is a client {name} already"):
        call_command("create_client", name, scopes="wallets:read", stdout=StringIO())
    with pytest.raises(CommandError, match="at most 80 characters"):
        call_command("create_client", "n" * 81, scopes="wallets:read", stdout=StringIO())


@pytest.mark.parametrize(
    ("rights", "scopes"),
    [
        ({}, END_USER_SCOPES),
        ({"is_staff": True}, STAFF_SCOPES),
        ({"is_staff": True, "is_superuser": True}, SUPERUSER_SCOPES),
    ],
)
def test_a_person_has_the_scopes_of_its_rights(rights, scopes):
    assert User(username="x", **rights).scopes == scopes
    assert {"treasury:write", "users:token", "wallets:write"}.isdisjoint(scopes)


def test_a_person_who_was_deactivated_gets_no_token_and_no_refresh():
    user = User.objects.create_user(uuid4().hex, password="long enough 1")
    login = {"username": user.username, "password": "long enough 1"}
    refresh = post("token", login).json()["refresh_token"]
    User.objects.filter(pk=user.pk).update(is_active=False)

    assert post("token", login).json()["code"] == "invalid_credentials"
    assert post("token/refresh", {"refresh_token": refresh}).json()["code"] == "invalid_token"


def test_an_access_token_refreshes_nothing():
    token = post("token", create_client()).json()

    assert post("token/refresh", {"refresh_token": token["access_token"]}).json()["code"] == "invalid_token"
    assert post("token/refresh", {"refresh_token": token["refresh_token"]}).status_code == 200


def test_a_user_is_told_so_before_its_body_is_read(ann):
    ann_with_scope = actor("user", id=ann.id, scopes=END_USER_SCOPES | {"users:token"})

    assert ann_with_scope.post("/auth/user-tokens", "{", key=None).json()["code"] == "forbidden"
