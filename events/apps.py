from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "events"

    def ready(self) -> None:
        from events.lag import LagCollector
        from walletplatform.observability.metrics import COLLECTORS

        COLLECTORS.append(LagCollector())
