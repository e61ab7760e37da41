"""``python -m tests.model.storms_sweeper``: sweep expired holds without a pause, until it is ended."""

from __future__ import annotations

import os
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "walletplatform.settings")
django.setup()

from django.db import Error, connection  # noqa: E402

from payments.expiry import expire_holds  # noqa: E402
from walletplatform.api.problems import Problem  # noqa: E402


def sweep_for_ever() -> None:
    while True:
        try:
            if not sum(expire_holds()):
                time.sleep(0.02)
        except (Problem, Error):  # the database is being killed, or busy: the next round finds it
            connection.close()
            time.sleep(0.1)


sweep_for_ever()
