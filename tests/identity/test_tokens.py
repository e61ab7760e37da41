"""Tokens: given for credentials, worth what they say, and forged in no known way."""

import base64
import json
import time
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import jwt
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client as Http

from walletplatform.identity.models import Client, User
from walletplatform.identity.principal import Principal
from walletplatform.identity.scopes import SCOPES
from walletplatform.identity.tokens import refresh_token


def create_client(**options):
    out = StringIO()
    options = {"scopes": "wallets:read,payments:read", "json": True} | options
    call_command("create_client", f"client-{uuid4().hex}", stdout=out, **options)
    return json.loads(out.getvalue())


def post(path, body):
    http = Http(raise_request_exception=False)
    return http.generic("POST", f"/api/v1/auth/{path}", json.dumps(body), content_type="application/json")


def get(token, path="wallets"):
    http = Http(raise_request_exception=False)
    return http.get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})


def test_a_client_exchanges_its_credentials_for_a_token():
    credentials = create_client()

    answer = post("token", credentials)

    token = answer.json()
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 3600)
    assert get(token["access_token"]).status_code == 200


def test_a_person_exchanges_name_and_password_for_a_token():
    user = User.objects.create_user(f"ann-{uuid4().hex}", password="long enough 1")

    token = post("token", {"username": user.username, "password": "long enough 1"}).json()

    assert get(token["access_token"]).status_code == 200
    claims = jwt.decode(token["access_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["kind"]) == (str(user.id), "user")


@pytest.mark.parametrize(
    "change",
    [{"client_secret": "wrong"}, {"client_id": str(uuid4())}, {"client_id": "x"}, {"client_id": "'; DROP TABLE"}],
)
def test_wrong_credentials_are_refused_in_the_same_words(change):
    answer = post("token", create_client() | change)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
    assert answer.json()["detail"] == "These credentials are not valid."
    assert "WWW-Authenticate" in answer


@pytest.mark.parametrize(
    "body",
    [{}, {"client_id": "x"}, {"client_id": "x", "password": "y"}, {"username": "x", "client_secret": "y"},
     {"client_id": "x", "client_secret": "y", "username": "x", "password": "y"}, {"client_id": 1, "client_secret": 2}],
)  # fmt: skip
def test_credentials_are_one_pair_or_the_other(body):
    answer = post("token", body)

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


def test_an_inactive_client_gets_no_token_and_no_refresh():
    credentials = create_client()
    token = post("token", credentials).json()
    Client.objects.filter(id=credentials["client_id"]).update(active=False)

    assert post("token", credentials).status_code == 401
    assert post("token/refresh", {"refresh_token": token["refresh_token"]}).status_code == 401


def test_a_refresh_token_brings_the_present_rights():
    credentials = create_client()
    token = post("token", credentials).json()
    Client.objects.filter(id=credentials["client_id"]).update(scopes=["payments:read"])

    renewed = post("token/refresh", {"refresh_token": token["refresh_token"]}).json()

    assert get(renewed["access_token"]).status_code == 403
    assert get(renewed["access_token"], "payments").status_code == 200


def test_a_client_issues_short_lived_tokens_for_its_users(shop):
    user_id = str(uuid4())
    wallet = shop.wallet(owner=user_id, holding="3.00")

    answer = shop.post("/auth/user-tokens", {"user_id": user_id}, key=None).json()

    assert (answer["expires_in"], answer["refresh_token"]) == (900, None)
    assert get(answer["access_token"], f"wallets/{wallet}").json()["balance"] == "3.00"


def test_a_user_issues_no_tokens(ann):
    assert ann.post("/auth/user-tokens", {"user_id": str(uuid4())}, key=None).status_code == 403


def _claims(**change):
    now = int(time.time())
    claims = {
        "iss": settings.JWT_ISSUER, "aud": settings.JWT_AUDIENCE, "sub": str(uuid4()), "iat": now, "exp": now + 60,
        "jti": "x", "typ": "access", "kind": "client", "scope": " ".join(SCOPES), "assets": "*",
    } | change  # fmt: skip
    return {name: value for name, value in claims.items() if value is not None}


def _part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _signed(**change):
    return jwt.encode(_claims(**change), settings.JWT_KEY, algorithm="HS256")


FORGERIES = {
    "no token": lambda: "",
    "garbage": lambda: "x.y.z",
    "huge": lambda: "x" * 7000,
    "alg none": lambda: f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(_claims())}.",
    "alg None with a signature": lambda: f"{_part({'alg': 'None'})}.{_part(_claims())}.{_signed().split('.')[2]}",
    "another key": lambda: jwt.encode(_claims(), "another key that is long enough!", algorithm="HS256"),
    "HS512": lambda: jwt.encode(_claims(), settings.JWT_KEY, algorithm="HS512"),
    "claims swapped": lambda: ".".join([_signed().split(".")[0], _part(_claims()), _signed().split(".")[2]]),
    "expired": lambda: _signed(exp=int(time.time()) - 1),
    "not yet": lambda: _signed(nbf=int(time.time()) + 60),
    "another audience": lambda: _signed(aud="other"),
    "another issuer": lambda: _signed(iss="other"),
    "no expiry": lambda: _signed(exp=None),
    "no subject": lambda: _signed(sub=None),
    "a refresh token": lambda: refresh_token(
        Principal(uuid4(), "client", frozenset(SCOPES), None), lifetime=timedelta(minutes=1)
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_is_refused(forgery):
    answer = get(FORGERIES[forgery]())

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_the_honest_token_beside_the_forgeries_is_taken():
    assert get(_signed()).status_code == 200


@pytest.mark.parametrize("header", ["", "Basic eDp5", "Bearer", "Token x", "bearer "])
def test_another_authorization_is_no_bearer_token(header):
    answer = Http().get("/api/v1/wallets", headers={"Authorization": header})

    assert answer.status_code == 401


def test_create_client_names_the_scopes_it_does_not_know():
    with pytest.raises(CommandError, match="No such scope: wallets:fly"):
        create_client(scopes="wallets:read,wallets:fly")
