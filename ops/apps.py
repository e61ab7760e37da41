from django.apps import AppConfig


class OpsConfig(AppConfig):
    name = "ops"
    verbose_name = "Operations"

    def ready(self) -> None:
        # Each registers what it has, and needs the models.
        import ops.alerts.jobs
        import ops.alerts.repeats
        import ops.consumers
        import ops.failures.consumer
        import ops.jobs.dead_letters
        import ops.jobs.housekeeping
        import ops.jobs.sweeping
        import ops.statements.jobs
        import ops.summaries.jobs  # noqa: F401
        from ops.jobs.counting import JobsCollector
        from walletplatform.observability.metrics import COLLECTORS

        COLLECTORS.append(JobsCollector())
