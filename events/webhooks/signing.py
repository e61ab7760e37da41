"""
What a delivery is signed with: Standard Webhooks (github.com/standard-webhooks, spec/standard-webhooks.md).

Secrets are kept encrypted (Fernet) under a key made from ``SECRET_KEY``; former ones are in
``SECRET_KEY_FALLBACKS``. While a secret is exchanged, both sign.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from standardwebhooks import Webhook

from events.models import WebhookEndpoint

_BYTES = 32


def new_secret() -> str:
    """Return a new secret, as its receiver keeps it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def seal(secret: str) -> str:
    """Return a secret as the database keeps it."""
    return _box().encrypt(secret.encode()).decode()


def headers(endpoint: WebhookEndpoint, *, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers that identify and sign a message; ``message_id`` is the same at each attempt."""
    sealed = [endpoint.secret]
    if endpoint.former_until is not None and endpoint.former_until > now:
        sealed.append(endpoint.former_secret)
    moment = now.astimezone(UTC)
    text = body.decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(Webhook(_open(one)).sign(message_id, moment, text) for one in sealed),
    }


def _open(sealed: str) -> str:
    return _box().decrypt(sealed.encode()).decode()


def _box() -> MultiFernet:
    return MultiFernet(
        [Fernet(_key(secret_key)) for secret_key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    )


def _key(secret_key: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(b"webhook secrets:" + secret_key.encode()).digest())
