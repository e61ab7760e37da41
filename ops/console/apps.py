"""The console takes the place of Django's default admin site; its name stays ``admin``."""

from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    default_site = "ops.console.site.ConsoleSite"
