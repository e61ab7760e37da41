"""Messages about alerts as e-mail, in HTML and as text."""

from __future__ import annotations

import smtplib
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from ops.alerts.models import Notification
from ops.alerts.wording import Message, message_of
from ops.jobs.registry import GiveUp


def send_mail(notification: Notification) -> None:
    """
    Hand a message to the mail server. Sent again it has the same Message-ID, by which receivers know it.

    :raises GiveUp: where the server says that it never will; anything else may go better later
    """
    mail = compose(notification, message_of(notification))
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as refused:
        code, words = next(iter(refused.recipients.values()))
        if code >= 500:
            raise GiveUp(f"The mail server refuses the address: {code} {_text(words)}") from refused
        raise
    except (smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as refused:
        if refused.smtp_code >= 500:
            raise GiveUp(f"The mail server refuses: {refused.smtp_code} {_text(refused.smtp_error)}") from refused
        raise


def compose(notification: Notification, message: Message) -> EmailMultiAlternatives:
    context = {"message": message, "notification": notification}
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=render_to_string("alerts/mail.txt", context),
        to=[notification.address],
        headers={
            "Message-ID": f"<alert-{notification.pk}@{host}>",
            # RFC 3834: no out-of-office answers, please.
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(render_to_string("alerts/mail.html", context), "text/html")
    return mail


def _text(words: bytes | str) -> str:
    return words.decode(errors="replace") if isinstance(words, bytes) else str(words)
