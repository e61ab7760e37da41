"""Beat's scheduler: the settings say what is scheduled, and when at first; people say when from then on."""

from __future__ import annotations

from django.db.transaction import atomic
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler


class Scheduler(DatabaseScheduler):  # type: ignore[misc]
    """Django-celery-beat's own would set all times back to the settings' whenever it starts."""

    def setup_schedule(self) -> None:
        with atomic():
            declared = self.app.conf.beat_schedule
            PeriodicTask.objects.exclude(name__in=declared).delete()
            for name, entry in declared.items():
                self._declare(name, self.Entry._unpack_fields(**entry))

    def _declare(self, name: str, fields: dict[str, object]) -> None:
        known = PeriodicTask.objects.filter(name=name).first()
        if known is None:
            PeriodicTask.objects.create(name=name, **fields)
            return
        wanted = {field: fields[field] for field in ("task", "args", "kwargs", "queue", "expire_seconds")}
        # A task that has never run is due so long after it was changed last: no start may put that off.
        if any(getattr(known, field) != value for field, value in wanted.items()):
            for field, value in wanted.items():
                setattr(known, field, value)
            known.save()
