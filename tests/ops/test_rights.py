"""
Every address of the console, by every role: nothing changes by a GET, nothing by a forged POST.

The addresses are those of the resolver, so that a page which comes later is tried too.
"""

from __future__ import annotations

from functools import cache
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.urls import NoReverseMatch, URLResolver, get_resolver, reverse

from ops.alerts.trouble import TROUBLES
from ops.approvals.proposing import propose
from tests.money import rows
from tests.ops.staff import ROLES, code_of, console, person, root
from tests.payments.holds import authorize
from walletplatform.audit.models import AuditEntry

REASON = "an act of the matrix"
# What no act of staff ever touches, or what being there at all writes (a session, the axes of a log-in).
NOT_COMPARED = {"django_session", "django_migrations", "axes_accessattempt", "axes_accesslog"}
# Of one's own: a password, what one sees, to leave.
ONES_OWN = {"logout", "leave", "login", "second_factor", "enrol", "password_change", "save_view"}


def everything() -> dict[str, Any]:
    """A fingerprint of every table there is."""
    TROUBLES.write()  # what earlier tests' requests came to, and a thread would write meanwhile
    tables = [name for (name,) in rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")]
    asked = [
        f"SELECT '{table}', count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {table} t"
        for table in tables
        if table not in NOT_COMPARED
    ]
    return {name: (count, hashed) for name, count, hashed in rows(" UNION ALL ".join(asked))}


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    changed = [table for table in before if before[table] != after[table]]
    if "audit_entries" in changed:
        newest = AuditEntry.objects.order_by("-pk")[: after["audit_entries"][0] - before["audit_entries"][0]]
        changed += [f"{entry.action} {entry.object_type} {entry.after}" for entry in newest]
    return changed


@cache
def names() -> list[tuple[str, tuple[str, ...]]]:
    """Every named address of the console, with the parameters that it takes."""

    def walk(patterns: Any) -> Any:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns)
            elif pattern.name:
                yield pattern.name, tuple(pattern.pattern.converters) or tuple(pattern.pattern.regex.groupindex)

    [console_] = [one for one in get_resolver().url_patterns if getattr(one, "app_name", "") == "admin"]
    return sorted(set(walk(console_.url_patterns)))


@cache
def rows_of(model: type) -> str | None:
    found = model._default_manager.order_by("pk").values_list("pk", flat=True).first()
    return None if found is None else str(found)


def addresses() -> list[tuple[str, str]]:
    """Every address as (name, path): of a row that there is where one is, else of one that there is not."""
    models = {f"{model._meta.app_label}_{model._meta.model_name}": model for model in admin.site._registry}
    found = []
    for name, parameters in names():
        model = next(
            (models[known] for known in sorted(models, key=len, reverse=True) if name.startswith(known + "_")), None
        )
        pk = (model and rows_of(model)) or str(uuid4())
        values = {"object_id": pk, "id": pk, "app_label": "ledger", "content_type_id": "1"}
        try:
            found.append((name, reverse(f"admin:{name}", kwargs={one: values.get(one, pk) for one in parameters})))
        except NoReverseMatch:
            found.append((name, reverse(f"admin:{name}", args=[values.get(one, pk) for one in parameters])))
    return found


@pytest.fixture
def world(shop):
    """Something of each kind to act on."""
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    shop.pay(ann, bob, "1.00")
    frozen = shop.wallet()
    shop.set_status(frozen, "SUSPENDED")
    asked = propose(maker=person("operator"), action="wallet.activate", target_id=frozen, reason=REASON)
    return {"ann": ann, "bob": bob, "frozen": frozen, "asked": asked}


def test_there_is_something_to_try():
    assert len(names()) > 80


def test_no_get_changes_anything(world):
    http = console(root())
    before = everything()
    broken = []
    for name, address in addresses():
        answer = http.get(address)
        if answer.status_code >= 500:
            broken.append((name, answer.status_code))
        if name == "logout":
            http = console(root())
            before = everything()
    assert broken == []
    assert differences(before, everything()) == []


@pytest.mark.parametrize("role", [*ROLES, "superuser"])
def test_an_empty_post_by_any_role_changes_nothing(world, role):
    http = console(root() if role == "superuser" else person(role))
    before = everything()
    broken = []
    for name, address in addresses():
        # Lists take a POST for a GET; one role's are as good as another's.
        if name in ONES_OWN or (role != "superuser" and name.endswith(("_changelist", "index", "app_list"))):
            continue
        answer = http.post(address, {})
        if answer.status_code >= 500:
            broken.append((name, answer.status_code))
    assert broken == []
    assert differences(before, everything()) == []


def test_a_post_without_its_token_is_refused_everywhere(world):
    http = console(root(), enforce_csrf_checks=True)
    before = everything()
    let_in = [
        name
        for name, address in addresses()
        if http.post(address, {"reason": REASON, "verdict": "approve"}).status_code not in (403, 404, 405)
    ]
    assert let_in == []
    assert differences(before, everything()) == []


def test_with_the_password_alone_every_address_leads_to_the_second_factor(world):
    http = console(person("finance"))
    session = http.session
    del session["verified_at"]
    session.save()
    before = everything()
    for name, address in addresses():
        if name in ONES_OWN or name == "jsi18n":
            continue
        for answer in (http.get(address), http.post(address, {"reason": REASON})):
            assert (name, answer.status_code) == (name, 302)
            assert "/admin/login/" in answer.url or "/admin/second-factor/" in answer.url or answer.url == "/admin/"
    assert differences(before, everything()) == []


# ---- one table: each act, who may, and on what ----------------------------------------------------------------

PROPOSE = {"support", "operator", "finance", "risk"}
OPERATE = {"operator", "finance"}
SUSPEND = {"operator", "approver", "finance", "risk", "administrator"}
PEOPLE = {"administrator"}
# Address, on which target, what is sent besides a reason, and the roles that may.
ACTS: list[tuple[str, str, dict[str, Any], set[str]]] = [
    ("payments_payment_propose_reversal", "paid", {}, PROPOSE),
    ("payments_payment_propose_refund", "paid", {"amount": "0.50"}, PROPOSE),
    ("payments_payment_void", "hold", {"page": True}, OPERATE),
    ("payments_payment_capture", "hold", {"page": True}, OPERATE),
    ("payments_payment_refund", "paid", {"page": True}, OPERATE),
    ("wallets_wallet_activate", "created", {"version": 1}, OPERATE),
    ("wallets_wallet_suspend", "active", {"version": 1}, SUSPEND),
    ("wallets_wallet_close", "empty", {"version": 2}, OPERATE),
    ("wallets_wallet_propose_unfreeze", "empty", {}, PROPOSE),
    ("identity_user_propose_roles", "person", {"roles": ["risk"]}, PEOPLE),
    ("identity_user_take_roles", "person", {"roles": ["viewer"]}, PEOPLE),
    ("identity_user_deactivate", "person", {}, PEOPLE),
    ("identity_user_reset_second_factor", "person", {}, PEOPLE),
]


@pytest.fixture
def targets(shop, settings):
    """What there is to act on, made anew for each who asks."""
    settings.LARGE_REFUNDS = {"EUR": "1.00"}

    def made() -> dict[str, str]:
        ann, bob, empty, somebody = shop.wallet(holding="10.00"), shop.wallet(), shop.wallet(), person("viewer")
        shop.set_status(empty, "SUSPENDED")
        code_of(somebody)
        return {
            "paid": shop.pay(ann, bob, "1.00").json()["id"], "hold": authorize(shop, ann, bob, "1.00"),
            "created": shop.post("/wallets", {"user_id": str(uuid4()), "asset": "EUR"}).json()["id"],
            "active": bob, "empty": empty, "person": str(somebody.pk),
        }  # fmt: skip

    return made


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_offered_what_the_table_says(targets, role):
    http, there = console(person(role)), targets()
    pages: dict[str, str] = {}
    for name, target, _, may in ACTS:
        address = reverse(f"admin:{name}", args=[there[target]])
        if target not in pages:
            model = "_".join(name.split("_")[:2])
            pages[target] = http.get(reverse(f"admin:{model}_change", args=[there[target]])).text
        assert (f'"{address}"' in pages[target]) == (role in may), name


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_refused_what_the_table_does_not_say(targets, role):
    http, there = console(person(role)), targets()
    before = everything()
    for name, target, given, may in ACTS:
        if role not in may:
            answer = http.post(reverse(f"admin:{name}", args=[there[target]]), {"reason": REASON} | given)
            assert (name, answer.status_code) == (name, 403)
    assert differences(before, everything()) == []


@pytest.mark.parametrize("role", ROLES)
def test_each_role_does_what_the_table_says_and_it_is_told(targets, role):
    user = person(role)
    http = console(user)
    for name, target, given, may in ACTS:
        if role in may:
            address = reverse(f"admin:{name}", args=[targets()[target]])
            sent = {"reason": REASON} | (shown_by(http, address) if given.get("page") else given)
            answer = http.post(address, sent)
            assert (name, answer.status_code) == (name, 302), answer.context["form"].errors
            assert AuditEntry.objects.filter(actor_id=user.pk).latest("id").reason == REASON, name


def shown_by(http, address):
    form = http.get(address).context["form"]
    return {name: form[name].value() for name in ("key", "seen", "amount", "final") if name in form.fields}


def test_a_refusal_names_the_right_that_is_missing_and_who_has_it(world):
    browser = {"Accept": "text/html,*/*"}
    answer = console(person("viewer")).post(
        reverse("admin:wallets_wallet_suspend", args=[world["bob"]]), {}, headers=browser
    )
    assert answer.status_code == 403
    for words in ("suspend a wallet at once", "ops.suspend_wallet", "administrator, approver, finance, operator, risk"):
        assert words in answer.text
    audit = console(person("viewer")).get(reverse("admin:audit_auditentry_changelist"), headers=browser)
    assert "audit.view_auditentry" in audit.text
    nobody = console(root()).post(
        reverse("admin:wallets_wallet_delete", args=[world["bob"]]), {"post": "yes"}, headers=browser
    )
    assert (nobody.status_code, "Nobody may do this here" in nobody.text) == (403, True)
