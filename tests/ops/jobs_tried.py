"""Jobs and tasks whose effects are seen from outside, for workers that are processes of their own, to be killed."""

from __future__ import annotations

import os
import signal
import smtplib
import sys
import time
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

from celery import shared_task
from django.db import connection

from ops.jobs.registry import GiveUp, job


def address() -> str:
    """The address of the tests' database, for a process of its own."""
    name = connection.settings_dict["NAME"]
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


@job("tried.inside", queue="jobs")
def inside(payload):
    _mark(payload)


@job("tried.outside", queue="jobs", outside=True)
def outside(payload):
    _users().get_or_create(username=payload["mark"])


@job("tried.mail", queue="mail", tries=5, outside=True)
def mail(payload):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ops@example.com", "ann@example.com", "tried"
    message["Message-ID"] = f"<{payload['mark']}@example.com>"
    with smtplib.SMTP("127.0.0.1", int(os.environ["SMTP_PORT"]), timeout=30) as server:
        server.send_message(message)


@job("tried.ai", queue="ai", tries=5)
def ai(payload):
    """Its effect is there, uncommitted, while it waits for the gate to be opened."""
    _mark(payload)
    gate = Path(os.environ["GATE"])
    (gate.parent / payload["mark"]).touch()
    while not gate.exists():
        time.sleep(0.02)


@job("tried.kills", queue="jobs", tries=3)
def kills(payload):
    """Kills its worker each time, until somebody has mended what the mark stands for."""
    _mark({"mark": payload["mark"] + "-half"})
    if not _users().filter(username=payload["mark"] + "-mended").exists():
        os.kill(os.getpid(), signal.SIGKILL)


@job("tried.raises", queue="jobs", tries=2)
def raises(payload):
    _mark(payload)
    raise ValueError("poison")


@job("tried.hopeless", queue="jobs")
def hopeless(payload):
    raise GiveUp("It is of no use.")


@shared_task
def mark_or_kill(mark):
    """Not a job: a task as such, which kills its worker until that is mended."""
    if not _users().filter(username=f"{mark}-mended").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    _mark({"mark": mark})


def _mark(payload):
    _users().create(username=payload["mark"])


def _users():
    from walletplatform.identity.models import User

    return User.objects


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "walletplatform.settings")
    django.setup()
    if sys.argv[1:] == ["work"]:
        from ops.jobs.executing import work_off

        work_off("jobs", seconds=10)
