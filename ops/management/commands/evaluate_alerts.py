"""Evaluate alert rules now."""

from typing import Any

from django.core.management.base import BaseCommand

from ops.alerts.evaluating import evaluate
from ops.alerts.models import Alert


class Command(BaseCommand):
    help = "Evaluate all alert rules that are due, have people told of what is new, and list what is open."

    def handle(self, *args: Any, **options: Any) -> None:
        evaluate()
        for alert in Alert.objects.filter(urgency__gt=0).order_by("-urgency", "-id"):
            self.stdout.write(f"{alert.severity:8} {alert.state:12} {alert.title}")
