"""The console behind two factors: enrolled, shown, shown again for what is dangerous, lost and reset."""

from __future__ import annotations

import json
import re
import time
from base64 import b32decode
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client as Http
from django.urls import reverse
from django.utils.timezone import now
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.ledger.test_database_rules import connect
from tests.money import rows
from tests.ops.staff import PASSWORD, code_of, console, mark, person, root
from walletplatform.audit.actors import of_command
from walletplatform.audit.models import AuditEntry
from walletplatform.identity import second_factor
from walletplatform.identity.lockout import is_locked, unlock
from walletplatform.identity.models import User

HOME, LOGIN = "/admin/", "/admin/login/"
CODE, ENROL = "/admin/second-factor/", "/admin/second-factor/enrol/"


def with_password(user: User) -> Http:
    """Somebody who has typed the right password, as a browser does."""
    http = Http(raise_request_exception=False)
    answer = http.post(f"{LOGIN}?next=/admin/payments/payment/", {"username": user.username, "password": PASSWORD})
    assert answer.status_code == 302, answer.content
    return http


def told(user):
    return list(AuditEntry.objects.filter(object_id=str(user.pk)).order_by("id").values_list("action", flat=True))


def enrolled(http: Http) -> list[str]:
    """The recovery codes of somebody who has just enrolled."""
    shown = http.get(ENROL).text
    key = re.search(r'class="ops-secret">([A-Z2-7 ]+)<', shown).group(1)
    answer = http.post(ENROL, {"code": f"{TOTP(_bytes(key)).token():06d}"})
    return re.findall(r"<code>([0-9a-f-]{13})</code>", answer.text)


def _bytes(readable: str) -> bytes:
    return b32decode(readable.replace(" ", ""))


@pytest.mark.parametrize("who", [lambda: person("viewer"), lambda: person("administrator"), root])
def test_a_password_alone_opens_no_page(who):
    user = who()
    http = with_password(user)
    for page in (HOME, reverse("admin:payments_payment_changelist"), reverse("admin:password_change")):
        assert http.get(page).status_code == 302
        assert http.post(page, {}).status_code == 302
    assert http.get(HOME, follow=True).redirect_chain[-1][0].startswith(ENROL)


def test_at_the_first_login_somebody_enrols_and_is_shown_recovery_codes_once():
    user = person("viewer")
    http = with_password(user)
    assert (
        http.get("/admin/payments/payment/", follow=True).redirect_chain[-1][0]
        == f"{ENROL}?next=%2Fadmin%2Fpayments%2Fpayment%2F"
    )
    shown = http.get(ENROL).text
    assert "<svg" in shown
    before = http.session.session_key
    codes = enrolled(http)
    assert len(set(codes)) == second_factor.RECOVERY_CODES
    assert http.session.session_key != before
    assert http.get(HOME).status_code == 200
    assert codes[0] not in http.get(ENROL, follow=True).text
    assert told(user) == ["user.enrol"]
    assert not StaticToken.objects.filter(token__in=[code.replace("-", "") for code in codes])


def test_who_has_a_second_factor_cannot_replace_it_with_the_password():
    user = person("viewer")
    code_of(user)
    http = with_password(user)
    assert http.get(ENROL).url.startswith(CODE)
    assert http.post(ENROL, {"code": "000000"}).url.startswith(CODE)
    assert TOTPDevice.objects.filter(user=user).count() == 1


def test_a_code_opens_the_console_and_leads_where_one_was_going():
    user = person("viewer")
    code = code_of(user)
    http = with_password(user)
    asked = http.get("/admin/payments/payment/", follow=True)
    assert asked.redirect_chain[-1][0] == f"{CODE}?next=%2Fadmin%2Fpayments%2Fpayment%2F"
    answer = http.post(CODE, {"code": code, "next": "/admin/payments/payment/"})
    assert answer.url == "/admin/payments/payment/"
    assert http.get(answer.url).status_code == 200


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/admin/", "/api/v1/", "javascript:alert(1)"]
)
def test_nobody_is_led_out_of_the_console(elsewhere):
    user = person("viewer")
    code = code_of(user)
    assert with_password(user).post(CODE, {"code": code, "next": elsewhere}).url == HOME


def test_a_code_is_taken_once_and_after_a_wrong_one_comes_a_pause():
    user = person("viewer")
    code = code_of(user)
    first, second = with_password(user), with_password(user)
    assert first.post(CODE, {"code": code}).status_code == 302
    assert second.post(CODE, {"code": code}).status_code == 200
    assert second.get(HOME).status_code == 302
    TOTPDevice.objects.filter(user=user).update(throttling_failure_timestamp=now())
    assert second.post(CODE, {"code": code_of(user)}).status_code == 200  # right, and too soon
    TOTPDevice.objects.filter(user=user).update(throttling_failure_timestamp=None, throttling_failure_count=0)
    assert second.post(CODE, {"code": code_of(user)}).status_code == 302


def test_of_rivals_with_one_code_one_gets_in():
    user = person("viewer")
    code = code_of(user)

    def one(_):
        try:
            return second_factor.verify(user, code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as several:
        assert sorted(several.map(one, range(4))) == [False, False, False, True]


@pytest.mark.parametrize("code", ["", "1", "12345678", "١٢٣٤٥٦", "000 00", "' OR 1", "x" * 20, "-12345"])
def test_what_is_no_code_is_refused(code):
    user = person("viewer")
    code_of(user)
    http = with_password(user)
    assert http.post(CODE, {"code": code}).status_code == 200
    assert http.get(HOME).status_code == 302


def test_a_recovery_code_is_good_once_and_told():
    user = person("viewer")
    codes = enrolled(with_password(user))
    http = with_password(user)
    assert http.post(CODE, {"code": codes[0].upper()}).status_code == 302
    assert told(user)[-1] == "user.recovery_code"
    assert with_password(user).post(CODE, {"code": codes[0]}).status_code == 200
    assert second_factor.verify(person("viewer"), codes[1]) is False


def test_a_reset_ends_the_sessions_and_asks_to_enrol_anew():
    user = person("viewer")
    code_of(user)
    http = console(user)
    assert http.get(HOME).status_code == 200
    second_factor.reset(user=user, actor=of_command(), reason="the phone is lost")
    assert http.get(HOME).status_code == 302
    assert not TOTPDevice.objects.filter(user=user)
    assert with_password(user).get(HOME, follow=True).redirect_chain[-1][0].startswith(ENROL)
    assert told(user)[-1] == "user.reset_second_factor"


def test_somebody_half_logged_in_can_leave():
    user = person("viewer")
    http = with_password(user)
    assert http.get("/admin/second-factor/leave/").status_code == 405
    assert http.post("/admin/second-factor/leave/").url == LOGIN
    assert "_auth_user_id" not in http.session


def test_a_session_ends_when_nobody_is_there_and_after_half_a_day():
    user = person("viewer")
    for ended in ({"seen_at": time.time() - 31 * 60}, {"begun_at": time.time() - 12 * 3600 - 1}):
        http = console(user)
        mark(http, **ended)
        assert http.get(HOME).status_code == 302
        assert "_auth_user_id" not in http.session


def test_what_a_page_fetches_by_itself_keeps_no_session_alive():
    http = console(person("viewer"))
    seen = time.time() - 29 * 60
    mark(http, seen_at=seen)
    http.get(HOME, headers={"Sec-Fetch-Mode": "cors"})
    assert http.session["seen_at"] == seen
    http.get(HOME, headers={"Sec-Fetch-Mode": "navigate"})
    assert http.session["seen_at"] > seen


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}])
def test_a_session_ends_with_the_right_to_be_there(change):
    user = person("viewer")
    http = console(user)
    assert http.get(HOME).status_code == 200
    User.objects.filter(pk=user.pk).update(**change)
    assert http.get(HOME).status_code == 302


def test_a_new_password_ends_the_sessions_under_the_old_one():
    user = person("viewer")
    http = console(user)
    user.set_password("another one 1")
    user.save()
    assert http.get(HOME).status_code == 302


def test_the_cookies_are_for_this_site_and_no_script():
    http = with_password(person("viewer"))
    cookie = http.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 12 * 3600)


def test_five_wrong_passwords_lock_a_name_at_an_address_until_an_administrator_lets_it_go():
    user = person("viewer")

    def try_(password, address="10.0.0.1"):
        http = Http(raise_request_exception=False, REMOTE_ADDR=address)
        return http.post(LOGIN, {"username": user.username, "password": password}).status_code == 302

    assert not any(try_(f"wrong {n}") for n in range(5))
    assert is_locked(user)
    assert not try_(PASSWORD)
    assert not try_(PASSWORD)
    assert try_(PASSWORD, "10.0.0.2")
    assert told(user) == ["user.lock"]
    for n in range(5):
        try_(f"wrong {n}")
    unlock(user=user, actor=of_command(), reason="they are on the phone")
    assert try_(PASSWORD)
    assert rows("SELECT post_data FROM axes_accessattempt WHERE username = %s", user.username) == []


def test_the_command_gives_a_device_for_demos_and_codes_for_it(settings):
    out, name = StringIO(), f"ann-{uuid4().hex}"
    call_command("create_staff", name, "--role=viewer", "--with-device", "--json", stdout=out)
    made = json.loads(out.getvalue())
    assert made["otpauth"].startswith("otpauth://totp/Wallet%20platform")
    code = StringIO()
    call_command("staff_code", name, stdout=code)
    user = User.objects.get(pk=made["id"])
    assert second_factor.verify(user, code.getvalue().strip())
    assert made["secret"].replace(" ", "") not in json.dumps(
        list(AuditEntry.objects.filter(object_id=made["id"]).values("after"))
    )
    settings.PRODUCTION = True
    with pytest.raises(CommandError):
        call_command("staff_code", name)


def test_the_command_tells_that_the_first_login_enrols():
    out = StringIO()
    call_command("create_staff", f"ann-{uuid4().hex}", "--role=viewer", stdout=out)
    assert "The first login asks to set up an authenticator" in out.getvalue()


def test_a_new_password_of_ones_own_is_told():
    user = person("viewer")
    given = {"old_password": PASSWORD, "new_password1": "another 12345", "new_password2": "another 12345"}
    http = console(user)
    assert http.post("/admin/password_change/", given | {"old_password": "wrong"}).status_code == 200
    assert "user.own_password" not in told(user)
    assert http.post("/admin/password_change/", given).status_code == 302
    assert "user.own_password" in told(user)


def test_a_form_that_saves_late_lets_nobody_in_again():
    user = person("viewer")
    http = console(person("administrator"))
    with ThreadPoolExecutor(1) as beside, connect("owner") as owner:
        owner.execute("UPDATE identity_users SET is_active = false WHERE id = %s", [user.pk])
        form = beside.submit(
            http.post, reverse("admin:identity_user_change", args=[user.pk]),
            {"username": user.username, "email": "late@example.org"},
        )  # fmt: skip
        time.sleep(0.5)
        owner.commit()
        assert form.result().status_code == 302
    user.refresh_from_db()
    assert (user.email, user.is_active) == ("late@example.org", False)
