"""Show the code that somebody's authenticator shows now: for demos, never in production."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice


class Command(BaseCommand):
    help = "Show the code that a member of staff logs in with now, in place of a phone. Refused in production."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="whose, for example admin")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("In production, codes come from authenticators only.")
        device = TOTPDevice.objects.filter(user__username=options["name"], confirmed=True).first()
        if device is None:
            raise CommandError(f"There is no {options['name']} with a second factor.")
        self.stdout.write(f"{next_code(device):06d}")


def next_code(device: TOTPDevice) -> int:
    """Return the code that is good now: the next one's already where this one was used."""
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    if totp.t() <= device.last_t:
        totp.drift += device.last_t + 1 - totp.t()
    code: int = totp.token()
    return code
