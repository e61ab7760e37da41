"""
The second factor of staff: a code of an authenticator (TOTP, RFC 6238), or a recovery code, each good once.

A code that was taken is not taken again, nor an earlier one; after a wrong one the next is looked at only after a
pause that doubles. Of recovery codes only a hash is kept.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b32encode
from binascii import unhexlify
from io import BytesIO

import qrcode
import qrcode.image.svg
from django.db.transaction import atomic
from django.utils.safestring import SafeString, mark_safe
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice, default_key

from walletplatform.audit.actors import Actor, of_staff
from walletplatform.audit.models import AuditEntry
from walletplatform.audit.trail import record
from walletplatform.identity.models import User
from walletplatform.identity.sessions import end_sessions

RECOVERY_CODES = 10
NAME = "authenticator"
RESET = "user.reset_second_factor"
# As the console tells of it (``audit.hooks``).
_NEW_PASSWORD = {"action": "user.change", "reason": "Changed password."}


def new_key() -> str:
    """Return a secret for an authenticator, in hex."""
    return str(default_key())


def is_enrolled(user: User) -> bool:
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def enrolment_uri(user: User, key: str) -> str:
    """Return what an authenticator reads: ``otpauth://totp/...``."""
    return str(TOTPDevice(user=user, key=key).config_url)


def readable(key: str) -> str:
    """Return a key as people type it into an authenticator: base32, in groups of four."""
    text = b32encode(unhexlify(key)).decode()
    return " ".join(text[place : place + 4] for place in range(0, len(text), 4))


def qr_code(uri: str) -> SafeString:
    """Return an SVG to be put into a page."""
    out = BytesIO()
    qrcode.make(uri, image_factory=qrcode.image.svg.SvgPathImage, box_size=8, border=2).save(out)
    svg = out.getvalue().decode()
    return mark_safe(svg[svg.index("<svg") :])  # noqa: S308 (of our own making)


@atomic
def enrol(*, user: User, key: str, code: str, actor: Actor | None = None) -> list[str] | None:
    """
    Give somebody a second factor, once ``code`` shows that their authenticator knows ``key``.

    Return the recovery codes, to be shown once; None where the code is wrong, or somebody has one already.
    """
    User.objects.select_for_update().get(pk=user.pk)
    device = TOTPDevice(user=user, name=NAME, key=key, confirmed=True)
    if is_enrolled(user) or not _is_code(code) or not _first_code(device, code):
        return None
    return _keep(device, actor or of_staff(user))


@atomic
def provide(*, user: User, actor: Actor) -> TOTPDevice:
    """Give somebody a second factor whose secret whoever calls this hands on: for demos and tests."""
    device = TOTPDevice(user=user, name=NAME, key=new_key(), confirmed=True)
    _keep(device, actor)
    return device


@atomic
def verify(user: User, code: str) -> bool:
    """Take a code of the authenticator, or a recovery code; each of them once."""
    code = code.replace(" ", "").replace("-", "")
    kind, given = (TOTPDevice, code) if _is_code(code) else (StaticDevice, _kept(code))
    device = kind.objects.select_for_update().filter(user=user, confirmed=True).first()
    if device is None or not device.verify_token(given):
        return False
    if kind is StaticDevice:
        left = StaticToken.objects.filter(device=device).count()
        record(
            actor=of_staff(user), action="user.recovery_code", object_type="user", object_id=user.pk,
            after={"recovery_codes_left": left},
        )  # fmt: skip
    return True


@atomic
def reset(*, user: User, actor: Actor, reason: str) -> None:
    """Take somebody's second factor away and end their sessions: at the next login they enrol anew."""
    TOTPDevice.objects.filter(user=user).delete()
    StaticDevice.objects.filter(user=user).delete()
    end_sessions(user)
    record(
        actor=actor, action=RESET, object_type="user", object_id=user.pk,
        before={"second_factor": True}, after={"second_factor": False}, reason=reason,
    )  # fmt: skip


def why_not_reset(user: User, by: User) -> str:
    """Why ``by`` may not take somebody's second factor away; "" where they may. Nobody gives themselves both."""
    knows = AuditEntry.objects.filter(object_id=str(user.pk), actor_id=by.pk)
    if knows.filter(action="user.create").exists() or knows.filter(**_NEW_PASSWORD).exists():
        return "You have given them a password: another administrator resets their second factor."
    return ""


def why_not_new_password(user: User, by: User) -> str:
    """Why ``by`` may not give somebody a password; "" where they may. Nobody gives themselves both."""
    if user.pk == by.pk:
        return ""
    if AuditEntry.objects.filter(object_id=str(user.pk), actor_id=by.pk, action=RESET).exists():
        return "You have reset their second factor: another administrator gives them a password."
    if user.groups.exists() and not is_enrolled(user):
        return "Without a second factor yet, who knows their password has their roles: take these away first."
    return ""


def _keep(device: TOTPDevice, actor: Actor) -> list[str]:
    device.save()
    codes = [f"{secrets.token_hex(3)}-{secrets.token_hex(3)}" for _ in range(RECOVERY_CODES)]
    spare = StaticDevice.objects.create(user=device.user, name="recovery codes", confirmed=True)
    StaticToken.objects.bulk_create(StaticToken(device=spare, token=_kept(code.replace("-", ""))) for code in codes)
    record(
        actor=actor, action="user.enrol", object_type="user", object_id=device.user.pk,
        before={"second_factor": False}, after={"second_factor": True},
    )  # fmt: skip
    return codes


def _first_code(device: TOTPDevice, code: str) -> bool:
    # Not kept yet, so nothing is throttled: whoever is asked holds the secret anyway.
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    if not totp.verify(int(code), tolerance=device.tolerance):
        return False
    device.last_t = totp.t()
    return True


def _is_code(code: str) -> bool:
    return len(code) == 6 and code.isascii() and code.isdigit()


def _kept(code: str) -> str:
    """What is kept of a recovery code: 64 bits of a hash of its 48 random ones."""
    return hashlib.sha256(code.lower().encode()).hexdigest()[:16]
