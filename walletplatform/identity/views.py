"""``/auth``: credentials for tokens."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from secrets import compare_digest
from uuid import UUID

from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from walletplatform.api.fields import IdField, StrictSerializer, TextField, validated
from walletplatform.api.problems import Problem, invalid
from walletplatform.api.responses import json_response
from walletplatform.api.schema import operation
from walletplatform.api.views import ApiView
from walletplatform.cache.limits import RateLimit
from walletplatform.identity.models import Client, User
from walletplatform.identity.principal import Principal
from walletplatform.identity.scopes import END_USER_SCOPES
from walletplatform.identity.second_factor import verify as verify_code
from walletplatform.identity.tokens import access_token, refresh_token, verify


class ClientTokenRequest(StrictSerializer):
    client_id = TextField(max_length=64)
    client_secret = TextField(max_length=200)


class PersonTokenRequest(StrictSerializer):
    username = TextField(max_length=150)
    password = TextField(max_length=200)
    code = TextField(
        max_length=20, required=False, default="", allow_blank=True, help_text="Staff: of the second factor."
    )


class RefreshRequest(StrictSerializer):
    refresh_token = TextField(max_length=4000)


class UserTokenRequest(StrictSerializer):
    user_id = IdField()


class TokenAnswer(StrictSerializer):
    access_token = TextField()
    token_type = serializers.ChoiceField(["Bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds.")
    refresh_token = TextField(allow_null=True)


TOKENS = RateLimit("tokens", settings.TOKEN_RATE_LIMIT)
CLIENT_TOKEN, PERSON_TOKEN = ClientTokenRequest(), PersonTokenRequest()
REFRESH, USER_TOKEN = RefreshRequest(), UserTokenRequest()


class TokenView(ApiView):
    public = True

    @operation(
        "Exchange credentials for a token",
        request=PolymorphicProxySerializer(
            component_name="TokenRequest",
            serializers=[ClientTokenRequest, PersonTokenRequest],
            resource_type_field_name=None,
        ),
        answer=TokenAnswer,
        problems=["invalid_credentials"],
        public=True,
        example={"client_id": "3f0e4d6a-8c1f-4f0e-9d5e-0d9b0a1c2d3e", "client_secret": "…"},
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        TOKENS.take(request.META.get("REMOTE_ADDR", ""))
        body = self.body(request)
        if isinstance(body, dict) and "username" in body:
            return _answer(_person(request, **validated(PERSON_TOKEN, body)))
        return _answer(_client(**validated(CLIENT_TOKEN, body)))


class RefreshView(ApiView):
    public = True

    @operation(
        "Exchange a refresh token for a new pair",
        request=RefreshRequest,
        answer=TokenAnswer,
        problems=["invalid_token"],
        public=True,
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        asked = validated(REFRESH, self.body(request))
        claims = verify(asked["refresh_token"], expected="refresh")
        holder = _holder(UUID(claims["sub"]), claims["kind"])
        if holder is None or not compare_digest(_bound(holder), claims.get("bound", "")):
            raise Problem("invalid_token", "The bearer token is not valid, or no longer.")
        return _answer(holder)


class UserTokenView(ApiView):
    scopes = {"POST": "users:token"}

    @operation(
        "Issue a short-lived token for an end user",
        request=UserTokenRequest,
        answer=TokenAnswer,
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        if self.principal.is_user:
            raise Problem("forbidden", "Only a client system issues tokens for users.")
        asked = validated(USER_TOKEN, self.body(request))
        if Client.objects.filter(id=asked["user_id"]).exists():
            # Keys belong to an id: a user with a client's would use up the client's.
            raise invalid("/user_id", "not_a_user", "This is a client system's id.")
        user = Principal(id=asked["user_id"], kind="user", scopes=END_USER_SCOPES, assets=self.principal.assets)
        lifetime = settings.JWT_USER_TOKEN_LIFETIME
        return _tokens(access_token(user, lifetime=lifetime), None, lifetime)


def _client(client_id: str, client_secret: str) -> Client:
    try:
        client = Client.objects.filter(id=UUID(client_id), active=True).first()
    except ValueError:
        client = None
    if client is None or not client.knows(client_secret):
        raise _wrong()
    return client


def _person(request: HttpRequest, username: str, password: str, code: str) -> User:
    user = authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        raise _wrong()
    # No way around the console's second factor.
    if (user.is_staff or user.is_superuser) and not verify_code(user, code):
        raise _wrong()
    return user


def _wrong() -> Problem:
    return Problem("invalid_credentials", "These credentials are not valid.")


def _holder(principal_id: UUID, kind: str) -> Client | User | None:
    if kind == "client":
        return Client.objects.filter(id=principal_id, active=True).first()
    return User.objects.filter(id=principal_id, is_active=True).first()


def _bound(holder: Client | User) -> str:
    """What a refresh token is good for: a client's secret; a person's password, and the end of their sessions."""
    if isinstance(holder, Client):
        return hashlib.sha256(bytes(holder.secret_hash)).hexdigest()[:32]
    return holder.get_session_auth_hash()[:32]


def _answer(holder: Client | User) -> HttpResponse:
    if isinstance(holder, Client):
        principal = holder.principal()
    else:
        principal = Principal(id=holder.id, kind="user", scopes=holder.scopes, assets=None)
    lifetime = settings.JWT_ACCESS_LIFETIME
    return _tokens(
        access_token(principal, lifetime=lifetime),
        refresh_token(principal, lifetime=settings.JWT_REFRESH_LIFETIME, bound=_bound(holder)),
        lifetime,
    )


def _tokens(access: str, refresh: str | None, lifetime: timedelta) -> HttpResponse:
    return json_response(
        {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": int(lifetime.total_seconds()),
            "refresh_token": refresh,
        },
        headers={"Cache-Control": "no-store"},
    )
