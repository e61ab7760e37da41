"""Who may ask: people, and client systems. The money tables know both by their UUID only."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property

from walletplatform.identity.principal import Principal
from walletplatform.identity.scopes import END_USER_SCOPES, READ_ONLY, STAFF_SCOPES, SUPERUSER_SCOPES


class User(AbstractUser):
    """A person. Staff use the console; anybody may own wallets (``wallets.user_id`` is this id)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Counted up where all sessions are to end (``identity.sessions``).
    session_epoch = models.BigIntegerField(db_default=0, editable=False)

    class Meta(AbstractUser.Meta):
        db_table = "identity_users"

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        may = super().has_perm(perm, obj)
        if not may:
            self.denied.append(perm)
        return may

    @cached_property
    def denied(self) -> list[str]:
        """The rights that were looked for in vain, in order: the page of a refusal names the last."""
        return []

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session is good for: this password, and this epoch."""
        value = f"{self.password}:{self.session_epoch}"
        return salted_hmac("identity.User.session", value, secret=secret, algorithm="sha256").hexdigest()

    @property
    def scopes(self) -> frozenset[str]:
        if self.is_superuser:
            return SUPERUSER_SCOPES
        return STAFF_SCOPES if self.is_staff else END_USER_SCOPES


class Client(models.Model):
    """A system that moves money through the API. ``assets`` NULL means all of them."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=80, unique=True)
    # SHA-256 is enough: the secret is 256 random bits, so there is nothing to guess slowly.
    secret_hash = models.BinaryField()
    scopes = ArrayField(models.CharField(max_length=40))
    assets = ArrayField(models.CharField(max_length=16), null=True)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "identity_clients"

    def __str__(self) -> str:
        return self.name

    def new_secret(self) -> str:
        """Give the client a new secret and return it; only its hash is kept."""
        secret = secrets.token_urlsafe(32)
        self.secret_hash = _hash(secret)
        return secret

    @property
    def only_reads(self) -> bool:
        return READ_ONLY.issuperset(self.scopes)

    def principal(self) -> Principal:
        """Return whom the client acts as."""
        assets = None if self.assets is None else frozenset(self.assets)
        return Principal(id=self.id, kind="client", scopes=frozenset(self.scopes), assets=assets)

    def knows(self, secret: str) -> bool:
        return secrets.compare_digest(bytes(self.secret_hash), _hash(secret))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
