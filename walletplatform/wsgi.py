"""The WSGI entry of the web processes. It refuses to serve where the ledger would not be safe."""

import atexit
import os
from wsgiref.types import WSGIApplication

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "walletplatform.settings")

django.setup(set_prefix=False)

# These need the app registry.
from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from granian.utils.proxies import wrap_wsgi_with_proxy_headers  # noqa: E402

from walletplatform.api.handler import Handler  # noqa: E402
from walletplatform.safety import refuse_to_serve_unsafely  # noqa: E402

application: WSGIApplication = Handler()
if settings.TRUSTED_PROXIES:
    application = wrap_wsgi_with_proxy_headers(application, trusted_hosts=settings.TRUSTED_PROXIES)
refuse_to_serve_unsafely()
# Left to the interpreter's end, its threads would be joined by one of themselves.
atexit.register(connection.close_pool)  # type: ignore[attr-defined]
