"""Names that are not heard for a while after too many wrong passwords (django-axes counts them), and their release."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt
from axes.signals import user_locked_out
from django.conf import settings
from django.db.transaction import atomic
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.timezone import now as clock

from walletplatform.audit.actors import Actor
from walletplatform.audit.models import AuditEntry
from walletplatform.audit.trail import record
from walletplatform.identity.models import User

LOCK = "user.lock"


def is_locked(user: User) -> bool:
    """Whether somebody's name is locked from any address."""
    limit = settings.AXES_FAILURE_LIMIT
    return bool(AccessAttempt.objects.filter(username=user.username, failures_since_start__gte=limit).exists())


@atomic
def unlock(*, user: User, actor: Actor, reason: str) -> None:
    """Let somebody try again, from every address."""
    AccessAttempt.objects.filter(username=user.username).delete()
    record(actor=actor, action="user.unlock", object_type="user", object_id=user.pk, reason=reason)


@receiver(user_locked_out)
@atomic
def _tell(request: HttpRequest, username: str, ip_address: str, **more: Any) -> None:
    user = User.objects.filter(username=username).first()
    # Told once for a lock, whoever goes on trying. A name that nobody has may be a password in the wrong field.
    if user is not None and not _told(user):
        record(
            actor=Actor(AuditEntry.Kind.USER, None, ""), action=LOCK, object_type="user", object_id=user.pk,
            reason=f"{settings.AXES_FAILURE_LIMIT} wrong passwords",
        )  # fmt: skip


def _told(user: User) -> bool:
    since = clock() - settings.AXES_COOLOFF_TIME
    return AuditEntry.objects.filter(object_id=str(user.pk), action=LOCK, at__gte=since).exists()
