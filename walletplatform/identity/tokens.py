"""
Bearer tokens: JWT (RFC 7519) signed with HS256, verified without a query.

The algorithm is ours, never the token's choice (RFC 8725, section 3.1). An access token says all that a
request needs; a refresh token only names its principal, whose present rights are looked up.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from datetime import timedelta
from threading import Lock
from typing import Any
from uuid import UUID, uuid4

import jwt
from django.conf import settings
from django.http import HttpRequest

from walletplatform.api.problems import Problem
from walletplatform.identity.principal import Principal

ALGORITHM = "HS256"
_CACHE_SIZE = 4096
_verified: OrderedDict[str, tuple[float, Principal]] = OrderedDict()
_lock = Lock()


def access_token(principal: Principal, *, lifetime: timedelta) -> str:
    return _sign(
        principal,
        "access",
        lifetime,
        scope=" ".join(sorted(principal.scopes)),
        assets="*" if principal.assets is None else sorted(principal.assets),
    )


def refresh_token(principal: Principal, *, lifetime: timedelta, bound: str = "") -> str:
    """``bound`` is what it is good for: the credentials that it was given for, as long as they last."""
    return _sign(principal, "refresh", lifetime, bound=bound)


def bearer(request: HttpRequest) -> Principal:
    """
    Return the principal of the request's bearer token (RFC 6750).

    :raises Problem: ``invalid_token``
    """
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem("invalid_token", "Send Authorization: Bearer with a token of /api/v1/auth/token.")
    known = _verified.get(token)
    if known is not None and known[0] > time.time():
        return known[1]
    claims = verify(token, expected="access")
    assets = claims["assets"]
    principal = Principal(
        id=UUID(claims["sub"]),
        kind=claims["kind"],
        scopes=frozenset(claims["scope"].split()),
        assets=None if assets == "*" else frozenset(assets),
    )
    with _lock:
        _verified[token] = (claims["exp"], principal)
        while len(_verified) > _CACHE_SIZE:
            _verified.popitem(last=False)
    return principal


def verify(token: str, *, expected: str) -> dict[str, Any]:
    """
    Return the claims of a token that we signed as ``expected`` (``access`` or ``refresh``).

    :raises Problem: ``invalid_token``, in the same words whatever is wrong with it
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            settings.JWT_KEY,
            algorithms=[ALGORITHM],
            issuer=settings.JWT_ISSUER,
            audience=settings.JWT_AUDIENCE,
            options={"require": ["exp", "iat", "sub", "iss", "aud", "jti"]},
        )
    except (jwt.InvalidTokenError, ValueError):
        claims = {}
    if claims.get("typ") != expected:
        raise Problem("invalid_token", "The bearer token is not valid, or no longer.")
    return claims


def _sign(principal: Principal, typ: str, lifetime: timedelta, **claims: Any) -> str:
    now = int(time.time())
    standard = {
        "iss": settings.JWT_ISSUER,
        "aud": settings.JWT_AUDIENCE,
        "sub": str(principal.id),
        "iat": now,
        "exp": now + int(lifetime.total_seconds()),
        "jti": uuid4().hex,
        "typ": typ,
        "kind": principal.kind,
    }
    return jwt.encode(standard | claims, settings.JWT_KEY, algorithm=ALGORITHM)
