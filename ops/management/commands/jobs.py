"""Look at jobs, and retry one."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from ops.approvals.refusing import Refused
from ops.jobs.acting import retry
from ops.jobs.counting import counts
from ops.jobs.models import Job
from walletplatform.audit.actors import of_command

MOST_SHOWN = 50
BY_HAND = "retried by manage.py jobs"


class Command(BaseCommand):
    help = "Say how each queue stands and which jobs are dead; with --retry, have one tried again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--retry", metavar="ID", help="have this job tried again")
        parser.add_argument("--reason", default=BY_HAND, help="for the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["retry"]:
            self._retry(options["retry"], options["reason"])
            return
        for one in counts():
            self.stdout.write(f"{one.queue:6} {one.due} due (the oldest for {one.seconds:.0f} s), {one.dead} dead")
        for job in Job.objects.filter(state=Job.State.DEAD).order_by("-id")[:MOST_SHOWN]:
            self.stdout.write(f"{job.pk}  {job.name}  {job.tries} tries  {job.error}")

    def _retry(self, text: str, reason: str) -> None:
        try:
            job = retry(actor=of_command(), job_id=UUID(text), reason=reason)
        except ValueError as error:
            raise CommandError("This is no job's id.") from error
        except Refused as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(f"{job.name} is tried as soon as a worker is free.")
