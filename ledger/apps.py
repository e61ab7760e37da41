from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "ledger"
    verbose_name = "Money"

    def ready(self) -> None:
        from ledger.watchdog import what_is_stuck
        from walletplatform.observability import health

        health.OBSTACLES["money"] = what_is_stuck
