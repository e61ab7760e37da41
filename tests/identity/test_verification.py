"""Verifying a token: without a query, never by the token's own choice, and no longer than it lasts."""

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from walletplatform.api.problems import Problem
from walletplatform.identity import tokens
from walletplatform.identity.principal import Principal
from walletplatform.identity.tokens import access_token, bearer, verify


def principal(**change):
    kept = {"id": uuid4(), "kind": "client", "scopes": frozenset({"wallets:read"}), "assets": None}
    return Principal(**kept | change)


def ask(token):
    return bearer(RequestFactory().get("/", headers={"Authorization": f"Bearer {token}"}))


def _part(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header, *, claims=None, digest=hashlib.sha256):
    """A token with any header over honest claims, signed by our own key."""
    payload = claims or access_token(principal(), lifetime=timedelta(minutes=1)).split(".")[1]
    text = f"{_part(header)}.{payload}"
    signature = hmac.new(settings.JWT_KEY.encode(), text.encode(), digest).digest()
    return f"{text}.{_part(signature)}"


@pytest.mark.parametrize("assets", [None, frozenset(), frozenset({"EUR", "GEM"})])
@pytest.mark.parametrize("kind", ["client", "user"])
def test_a_token_says_who_it_was_made_for_without_a_query(kind, assets):
    who = principal(kind=kind, assets=assets)
    token = access_token(who, lifetime=timedelta(minutes=1))

    with CaptureQueriesContext(connection) as queries:
        assert ask(token) == ask(token) == who

    assert len(queries) == 0


def test_a_header_like_our_own_is_taken():
    assert ask(signed({"alg": "HS256", "typ": "JWT"})).scopes == {"wallets:read"}


@pytest.mark.parametrize(
    "token",
    [
        *(
            lambda algorithm=algorithm: signed({"alg": algorithm, "typ": "JWT"})
            for algorithm in ("RS256", "ES256", "PS256", "EdDSA", "none", "hs256", "", None, 1, ["HS256"], {})
        ),
        lambda: signed({"alg": "HS512"}, digest=hashlib.sha512),
        lambda: signed({"typ": "JWT"}),
        lambda: signed({"alg": "HS256", "crit": ["exp"], "exp": 1}),
        lambda: signed({"alg": "HS256", "b64": False, "crit": ["b64"]}),
        lambda: signed({"alg": "HS256", "kid": 7}),
        lambda: signed([]),
        lambda: signed(b'{"alg":"HS256","x":' + b"[" * 5000 + b"]" * 5000 + b"}"),
        lambda: signed({"alg": "HS256"}, claims=_part(b"[" * 5000 + b"]" * 5000)),
        lambda: signed({"alg": "HS256"}, claims=_part([])),
        lambda: signed({"alg": "HS256"}, claims=_part(b"\xff")),
        lambda: signed({"alg": "HS256"}) + "=",
        lambda: signed({"alg": "HS256"}) + ".x",
        lambda: " " + signed({"alg": "HS256"}),
        lambda: "a." * 50_000,
        lambda: "\u00ff.\u00ff.\u00ff",
        lambda: "..",
    ],
)
def test_a_token_of_another_make_is_refused(token):
    with pytest.raises(Problem) as refused:
        ask(token())

    assert refused.value.code == "invalid_token"
    assert len(refused.value.detail) < 100


def test_a_token_that_was_taken_before_ends_with_its_time():
    token = access_token(principal(), lifetime=timedelta(seconds=2))
    ends = verify(token, expected="access")["exp"]
    assert ask(token)

    while time.time() < ends:
        pass

    with pytest.raises(Problem, match="invalid_token"):
        ask(token)


def test_only_so_many_tokens_are_remembered(monkeypatch):
    monkeypatch.setattr(tokens, "_CACHE_SIZE", 10)
    for _ in range(30):
        ask(access_token(principal(), lifetime=timedelta(minutes=1)))

    assert len(tokens._verified) <= 10


def test_a_token_that_was_refused_is_not_remembered():
    before = len(tokens._verified)
    with pytest.raises(Problem):
        ask("x" * 100)

    assert len(tokens._verified) == before
