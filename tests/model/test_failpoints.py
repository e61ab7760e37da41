"""Fail points are off, known by name, and nothing for production."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from tests.conftest import ROOT
from walletplatform.failpoints import NAMES, fail_point, parse

PASS = """
import django
django.setup()
from walletplatform.failpoints import fail_point
for _ in range({}):
    fail_point({!r})
"""
PRODUCTION = {"ENVIRONMENT": "production", "SECRET_KEY": "s" * 40, "JWT_KEY": "j" * 40}


def passing(name: str, times: int, **env: str) -> int:
    """Come to a fail point in a process of its own; how that ended."""
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "walletplatform.settings"} | env
    command = [sys.executable, "-c", PASS.format(times, name)]
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


def test_they_are_off_unless_asked_for():
    for name in NAMES:
        fail_point(name)


def test_a_process_dies_where_it_comes_there_for_the_nth_time_and_nowhere_else():
    assert passing("money.locked", 1, FAIL_POINT="money.locked") == -9
    assert passing("money.locked", 2, FAIL_POINT="money.locked:3") == 0
    assert passing("money.locked", 3, FAIL_POINT="money.locked:3") == -9
    assert passing("money.begun", 9, FAIL_POINT="money.locked") == 0


@pytest.mark.parametrize("text", ["money.lost", "money.begun:0", "money.begun:-1", "money.begun:x", ":1"])
def test_a_place_that_does_not_exist_is_refused(text):
    with pytest.raises(ImproperlyConfigured):
        parse(text)


def test_production_arms_none_and_refuses_to_serve():
    assert passing("money.locked", 3, FAIL_POINT="money.locked", **PRODUCTION) == 0

    database = connections["default"].settings_dict["NAME"]
    url = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{database}"
    refused = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "import walletplatform.wsgi"],
        env=os.environ | PRODUCTION | {"FAIL_POINT": "money.locked", "DATABASE_URL": url},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert refused.returncode == 1
    assert "FAIL_POINT is set" in refused.stderr
