from django.apps import AppConfig


class OpsConfig(AppConfig):
    name = "ops"

    def ready(self) -> None:
        import ops.consumers  # noqa: F401 (registers them; needs the models)
