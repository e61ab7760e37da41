"""How a body may arrive: as JSON in UTF-8, whole, and no larger than allowed."""

import io
import json

import pytest
from django.test import RequestFactory

from walletplatform.api.handler import Request
from walletplatform.api.problems import Problem
from walletplatform.api.views import MAX_BODY, ApiView


class Input(io.BytesIO):
    """A body as the server hands it on, counting what is taken of it."""

    taken = 0

    def read(self, size=-1):
        data = super().read(size)
        self.taken += len(data)
        return data


def body_of(raw, **environ):
    stream = Input(raw)
    given = RequestFactory().post("/", content_type="application/json").environ
    given |= {"wsgi.input": stream, "CONTENT_LENGTH": str(len(raw)), "wsgi.input_terminated": True} | environ
    return ApiView().body(Request({n: v for n, v in given.items() if v is not None})), stream.taken


def refused(raw, **environ):
    with pytest.raises(Problem) as problem:
        body_of(raw, **environ)
    return problem.value.code


@pytest.mark.parametrize(
    "kind",
    ["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON",
     'application/json; charset="utf-8"'],
)  # fmt: skip
def test_json_in_utf_8_is_read(kind):
    assert body_of('{"a": "é"}'.encode(), CONTENT_TYPE=kind)[0] == {"a": "é"}


@pytest.mark.parametrize(
    "environ",
    [
        *({"CONTENT_TYPE": kind} for kind in (
            "", None, "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
            "multipart/form-data", "application/json; charset=utf-16", "application/json; charset=latin-1",
            "application/problem+json", "application/jsonp", "application/json, text/plain",
            "application/json; charset*=bogus''x",
        )),
        {"HTTP_CONTENT_ENCODING": "gzip"},
        {"HTTP_CONTENT_ENCODING": "br"},
    ],
    ids=lambda environ: str(environ)[:50],
)  # fmt: skip
def test_anything_else_is_not_read(environ):
    assert refused(b"{}", **environ) == "unsupported_media_type"


def test_a_body_may_have_just_as_many_bytes_as_allowed():
    largest = json.dumps("x" * (MAX_BODY - 2)).encode()

    assert body_of(largest)[0] == body_of(largest, CONTENT_LENGTH=None)[0] == json.loads(largest)
    assert refused(largest + b" ") == "payload_too_large"
    assert refused(largest + b" ", CONTENT_LENGTH=None) == "payload_too_large"


@pytest.mark.parametrize("length", ["10000000", "9" * 400, None])
def test_of_a_body_that_is_too_large_no_more_is_read_than_it_takes_to_tell(length):
    stream = Input(b" " * 1_000_000)

    assert refused(b"", **{"wsgi.input": stream}, CONTENT_LENGTH=length) == "payload_too_large"
    assert stream.taken <= MAX_BODY + 1


@pytest.mark.parametrize("length", ["-1", "+2", "x", "1e3", "\u00b2", "2.0", "0x2"])
def test_a_content_length_is_a_number(length):
    assert refused(b"{}", CONTENT_LENGTH=length) == "bad_request"


def test_a_server_that_does_not_end_the_body_is_not_read_without_a_length():
    stream = Input(b'{"a": 1}')
    environ = {"wsgi.input": stream, "wsgi.input_terminated": None, "CONTENT_LENGTH": None}

    assert refused(b"", **environ) == "malformed_json"
    assert stream.taken == 0


def test_a_body_that_breaks_off_is_told():
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise OSError("the client went away")

    assert refused(b"{}", **{"wsgi.input": Broken()}) == "bad_request"
    assert refused(b"{}", **{"wsgi.input": Broken()}, CONTENT_LENGTH=None) == "bad_request"
