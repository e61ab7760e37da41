"""What is asked for by one person and decided by another, and what came of it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db import connection

from ops.approvals.deciding import approve
from ops.approvals.proposing import propose
from ops.approvals.refusing import Refused
from ops.demo import set_shift
from tests.conftest import ROOT
from tests.ledger.test_database_rules import connect
from tests.money import rows, snapshot
from walletplatform.audit.models import AuditEntry

REASON = "the customer paid twice"
NOW = timedelta(0)


def ask(maker, target, action="payment.reverse", **given):
    return propose(maker=maker, action=action, target_id=target, reason=REASON, **given)


def decide(checker, approval, **more):
    return approve(checker=checker, approval_id=approval.pk, **({"seen": approval.payload_sha256} | more))


def steps(approval):
    told = AuditEntry.objects.filter(object_id=str(approval.pk)).order_by("id")
    return [(entry.action, entry.actor_name) for entry in told]


def outcome(act):
    """What an act answers, or the code with which it is refused."""
    try:
        return act()
    except Refused as refusal:
        return refusal.code


def children(payment):
    return rows("SELECT kind, status FROM payments WHERE parent_id = %s ORDER BY id", payment)


@contextmanager
def refused(code):
    before = snapshot()
    with pytest.raises(Refused) as refusal:
        yield
    assert refusal.value.code == code
    assert snapshot() == before


@contextmanager
def later(**span):
    set_shift(timedelta(**span))
    try:
        yield
    finally:
        set_shift(NOW)


@contextmanager
def without_rules():
    """Somebody with the owner's rights has switched the table's rules off."""
    with connect("owner") as owner:
        owner.execute("ALTER TABLE approvals DISABLE TRIGGER approvals_move")
        owner.commit()
        yield owner
        owner.execute("ALTER TABLE approvals ENABLE TRIGGER approvals_move")


def die_at(point, checker, approval):
    """Approve in a process that is killed at ``point``."""
    code = (
        "import django; django.setup()\n"
        "from ops.approvals.deciding import approve; from walletplatform.identity.models import User\n"
        f"approve(checker=User.objects.get(pk='{checker.pk}'), approval_id='{approval.pk}',"
        f" seen='{approval.payload_sha256}')"
    )
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + connection.settings_dict["NAME"]).geturl()
    env = os.environ | {
        "FAIL_POINT": point, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "walletplatform.settings",
    }  # fmt: skip
    died = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=False, capture_output=True, text=True)
    assert died.returncode == -9, died.stderr
