"""What a caller accepts decides whether it is answered at all."""

import pytest
from django.test import Client as Http

PATH = "/api/v1/problems"


@pytest.mark.parametrize(
    "accept",
    ["*/*", "application/json", "application/*", "application/json; charset=utf-8", "APPLICATION/JSON",
     "text/html, application/json;q=0.1", "text/html,*/*;q=0.8", "application/json;q=0.001, text/html",
     ",application/json,", "*/*;q=0, application/json", "application/*;q=0, application/json"],
)  # fmt: skip
def test_a_caller_that_accepts_json_gets_it(accept):
    assert Http().get(PATH, headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize(
    "accept",
    ["text/html", "text/*", "application/xml", "json", "application/json;q=0", "application/json; q=0.000, */*",
     "application/*;q=0, */*", "*/*;q=0", "application/jsonx", "application/json+x", "x" * 20_000],
    ids=lambda accept: accept[:30],
)  # fmt: skip
def test_a_caller_that_excludes_json_is_told_so_in_json(accept):
    answer = Http().get(PATH, headers={"Accept": accept})

    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert answer["Content-Type"] == "application/problem+json"
