"""Behind a proxy a caller's address is what the proxy says; without one, nobody's word is taken for it."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

ASK = """
from wsgiref.util import setup_testing_defaults
environ = {"PATH_INFO": "/healthz/live", "REMOTE_ADDR": "10.0.0.2", "HTTP_X_FORWARDED_FOR": "203.0.113.7"}
setup_testing_defaults(environ)
environ["HTTP_HOST"] = "localhost"
from walletplatform.wsgi import application
statuses = []
application(environ, lambda status, headers: statuses.append(status))
print(statuses[0], environ["REMOTE_ADDR"])
"""


@pytest.mark.parametrize(
    ("trusted", "seen"), [("", "10.0.0.2"), ("10.0.0.2", "203.0.113.7"), ("10.0.0.3", "10.0.0.2"), ("*", "203.0.113.7")]
)
def test_only_a_trusted_proxys_word_is_taken(database, trusted, seen):
    url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{database}"
    env = os.environ | {"DATABASE_URL": url, "TRUSTED_PROXIES": trusted}
    asked = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK], env=env, cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert asked.stdout.splitlines()[-1] == f"200 OK {seen}"
