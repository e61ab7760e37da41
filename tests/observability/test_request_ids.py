"""Each answer names its request, by the caller's id where that is sane."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.http import HttpResponse
from django.test import Client as Http

from walletplatform.observability.request_id import RequestIdMiddleware, current_traceparent

HTTP = Http()


def id_of(path="/healthz/live", **headers):
    return HTTP.get(path, headers=headers)["X-Request-ID"]


@pytest.mark.parametrize(
    "given", ["a", "order-7", "x" * 128, "!~", "0af7651916cd43dd8448eb211c80319c", "{}", "abc,def"]
)
def test_a_sane_id_is_taken_over(given):
    assert id_of(**{"X-Request-ID": given}) == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "caf\u00e9", "a\tb", "a\x7fb", "a\n", "\u0661"])
def test_another_id_is_made_anew(given):
    assert re.fullmatch("[0-9a-f]{32}", id_of(**{"X-Request-ID": given}))


@pytest.mark.parametrize("path", ["/healthz/live", "/metrics", "/nowhere", "/api/v1/nowhere", "/admin/", "/"])
def test_every_answer_of_the_site_has_an_id(path):
    assert id_of(path, **{"X-Request-ID": "order-7"}) == "order-7"


def test_ids_of_requests_at_the_same_time_are_their_own():
    with ThreadPoolExecutor(8) as pool:
        given = [f"order-{number}" for number in range(200)]
        assert list(pool.map(lambda name: id_of(**{"X-Request-ID": name}), given)) == given
        assert len(set(pool.map(lambda _: id_of(), range(200)))) == 200


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", False),
        ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", False),
        ("x", False),
    ],
)
def test_a_traceparent_is_carried_along_where_it_is_one(rf, given, kept):
    seen = []
    answer = RequestIdMiddleware(lambda request: seen.append(current_traceparent()) or HttpResponse())
    answer(rf.get("/", headers={"traceparent": given}))

    assert seen == [given if kept else ""]
