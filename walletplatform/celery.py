"""The Celery application. Beat decides when; rows in the database decide what is done."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "walletplatform.settings")

app = Celery("walletplatform")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Without it a prefork worker opens a new database connection for every task (celery issue 10554).
app.conf["CELERY_DB_REUSE_MAX"] = 500
app.autodiscover_tasks()
