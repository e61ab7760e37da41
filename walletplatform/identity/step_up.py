"""Before something dangerous, the second factor once more, where it was shown a while ago."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from walletplatform.identity.mfa_site import WRONG
from walletplatform.identity.second_factor import verify
from walletplatform.identity.sessions import is_fresh, mark_verified

FIELD = "second_factor_code"


def code_asked(request: HttpRequest, site: AdminSite) -> HttpResponse | None:
    """
    Return None where a dangerous POST may go on, else a page that asks for a code and posts the same again.

    For a view that has checked already who may: nothing has been done yet, and nothing typed is lost.
    """
    if is_fresh(request):
        return None
    code, error = request.POST.get(FIELD), ""
    if code is not None:
        if verify(request.user, code):  # type: ignore[arg-type]
            mark_verified(request)
            return None
        error = WRONG
    kept = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in (FIELD, "csrfmiddlewaretoken")
        for value in values
    ]
    context = {
        **site.each_context(request), "title": "Your second factor again", "kept": kept, "field": FIELD, "error": error,
        "action": request.get_full_path(),
    }  # fmt: skip
    return TemplateResponse(request, "admin/step_up.html", context)
