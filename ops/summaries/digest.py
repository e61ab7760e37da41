"""The weekly summary as e-mail, in HTML and as text."""

from __future__ import annotations

import hashlib
from datetime import UTC, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from ops.summaries.facts import Facts
from ops.summaries.models import Summary


def send(summary_id: UUID, recipient: str) -> None:
    """Hand the mail to the mail server. Sent again it has the same Message-ID, by which receivers know it."""
    compose(Summary.objects.get(id=summary_id), recipient).send()


def compose(summary: Summary, recipient: str) -> EmailMultiAlternatives:
    """Return the mail of a summary that is done."""
    assert summary.facts is not None
    begins, last = summary.begins_at.astimezone(UTC), summary.ends_at.astimezone(UTC) - timedelta(minutes=1)
    context = {
        "summary": summary,
        "facts": list(Facts.read(summary.facts, summary.names)),
        "period": f"{begins:%Y-%m-%d} to {last:%Y-%m-%d}",
        "by_model": summary.written_by == Summary.Writer.MODEL,
        "link": settings.PUBLIC_URL + reverse("admin:ops_summary_change", args=[summary.pk]),
    }
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    whose = hashlib.sha256(recipient.encode()).hexdigest()[:16]
    mail = EmailMultiAlternatives(
        subject=f"Payments from {context['period']}: {summary.title}",
        body=render_to_string("summaries/mail.txt", context),
        to=[recipient],
        # RFC 3834: no out-of-office answers, please.
        headers={"Message-ID": f"<summary-{summary.pk}-{whose}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(render_to_string("summaries/mail.html", context), "text/html")
    return mail
