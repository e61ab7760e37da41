"""These tests need no database: they run as well without the fixtures of the others (``make mutate``)."""

import os

import django
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "walletplatform.settings")
if not apps.ready:
    django.setup()

import pytest

from tests.pure.world import World


@pytest.fixture
def world() -> World:
    return World()
