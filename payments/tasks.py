"""What beat wakes for payments. Each only calls what could be called by hand."""

from celery import shared_task

from payments.expiry import expire_holds


@shared_task
def sweep_expired_holds() -> int:
    return sum(expire_holds())
