"""The WSGI entry of the web processes. It refuses to serve where the ledger would not be safe."""

import atexit
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "walletplatform.settings")

django.setup(set_prefix=False)

# These need the app registry.
from django.db import connection  # noqa: E402

from walletplatform.api.handler import Handler  # noqa: E402
from walletplatform.safety import refuse_to_serve_unsafely  # noqa: E402

application = Handler()
refuse_to_serve_unsafely()
# Left to the interpreter's end, its threads would be joined by one of themselves.
atexit.register(connection.close_pool)  # type: ignore[attr-defined]
