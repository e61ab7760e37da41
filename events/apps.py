from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "events"
    verbose_name = "Events and jobs"

    def ready(self) -> None:
        import events.webhooks.fanout  # noqa: F401 (registers its consumer; needs the models)
        from events.lag import LagCollector
        from walletplatform.observability.metrics import COLLECTORS

        COLLECTORS.append(LagCollector())
