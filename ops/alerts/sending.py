"""Send a message, and put on record what came of it."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F
from django.db.transaction import atomic

from ledger import clock
from ops.alerts.mail import send_mail
from ops.alerts.models import Alert, AlertStep, Notification, NotifiedAlert
from ops.alerts.slack import post_to_slack
from ops.jobs.registry import GiveUp

TRIES = 8
SEND = {Notification.Channel.EMAIL: send_mail, Notification.Channel.SLACK: post_to_slack}
State = Notification.State


def send(notification_id: UUID) -> None:
    """
    Send a message unless it was sent; asked twice at once it may go twice, as the same.

    :raises GiveUp: given up for good
    :raises Exception: what kept it from being sent, which may pass
    """
    notification = Notification.objects.select_related("configuration").get(pk=notification_id)
    if notification.state == State.SENT:
        return
    try:
        SEND[Notification.Channel(notification.channel)](notification)
    except Exception as error:
        given_up = isinstance(error, GiveUp) or notification.tries + 1 >= TRIES
        words = str(error) if isinstance(error, GiveUp | RuntimeError) else f"{type(error).__name__}: {error}"
        _failed(notification, words, given_up=given_up)
        raise
    _sent(notification)


@atomic(durable=True)
def _failed(notification: Notification, error: str, *, given_up: bool) -> None:
    Notification.objects.filter(pk=notification.pk).exclude(state=State.SENT).update(
        tries=F("tries") + 1, error=error.replace("\0", "")[:500], state=State.DEAD if given_up else State.WAITING
    )


@atomic(durable=True)
def _sent(notification: Notification) -> None:
    now = clock.now()
    Notification.objects.filter(pk=notification.pk).exclude(state=State.SENT).update(
        tries=F("tries") + 1, error="", state=State.SENT, sent_at=now
    )
    told = Alert.objects.filter(
        notified__notification=notification, notified__word=NotifiedAlert.Word.BEGAN, state=Alert.State.PENDING
    )
    alerts = list(told.order_by("id").select_for_update(of=("self",)))
    Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(state=Alert.State.SENT)
    AlertStep.objects.bulk_create(
        AlertStep(
            alert=alert, at=now, step="sent", note=f"{notification.get_channel_display()}, {notification.address}"
        )
        for alert in alerts
    )
