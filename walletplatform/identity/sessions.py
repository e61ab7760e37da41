"""
How long a session of the console lasts, and what it has been verified by.

It ends when nobody has opened a page for ``SESSION_IDLE``, in any case ``SESSION_LASTS`` after its password; and, with
all others of that person, when ``end_sessions`` says so. What a page fetches by itself (a figure every 15 seconds)
keeps no session alive.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import logout
from django.db.models import F
from django.http import HttpRequest, HttpResponseBase

from walletplatform.identity.models import User

BEGUN, SEEN, VERIFIED = "begun_at", "seen_at", "verified_at"
# A session is written at most this often to note that somebody is there.
NOTED_EVERY = timedelta(minutes=1)


class SessionAgeMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            if _is_over(request):
                logout(request)
            else:
                _note(request)
        return self.get_response(request)


def mark_verified(request: HttpRequest) -> None:
    """The person has just shown the second factor; the session gets a new id."""
    request.session.cycle_key()
    request.session[VERIFIED] = time.time()


def is_verified(request: HttpRequest) -> bool:
    return VERIFIED in request.session


def is_fresh(request: HttpRequest) -> bool:
    """Whether the second factor was shown lately enough for something dangerous."""
    verified: float = request.session.get(VERIFIED, 0)
    return time.time() - verified < settings.STEP_UP_AFTER.total_seconds()


def end_sessions(user: User) -> None:
    """End all sessions of somebody, in the caller's transaction: at the next request they are nobody's."""
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)


def _is_over(request: HttpRequest) -> bool:
    now = time.time()
    begun: float = request.session.get(BEGUN, now)
    seen: float = request.session.get(SEEN, now)
    idle, lasts = settings.SESSION_IDLE.total_seconds(), settings.SESSION_LASTS.total_seconds()
    return now - seen > idle or now - begun > lasts


def _note(request: HttpRequest) -> None:
    now = time.time()
    request.session.setdefault(BEGUN, now)
    by_a_person = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
    seen: float = request.session.setdefault(SEEN, now)
    if by_a_person and now - seen > NOTED_EVERY.total_seconds():
        request.session[SEEN] = now
