"""The proxy of production lets through what the platform takes, and little more."""

import re

from django.conf import settings
from django.urls import reverse

from ops.statements.reading import MOST_BYTES
from ops.statements.upload_limit import SLACK
from tests.conftest import ROOT

MIB = 1024**2
CONF = (ROOT / "deploy" / "nginx.conf").read_text()
# Where requests are handed on, with what is said there of them alone.
PASSING = {
    place: directives
    for place, directives in re.findall(r"location ([^{]+?) \{([^{}]*)\}", CONF)
    if "proxy_pass" in directives
}
IMPORT = "= " + reverse("admin:ops_statement_import_file")


def bound(text):
    [mebibytes] = re.findall(r"client_max_body_size (\d+)m;", text)
    return int(mebibytes) * MIB


def test_the_longest_statement_gets_through_to_where_it_is_imported():
    assert MOST_BYTES + SLACK <= bound(PASSING[IMPORT]) <= MOST_BYTES + MIB


def test_elsewhere_a_body_is_a_little_longer_than_the_platform_takes():
    everywhere = bound(CONF.partition("server {")[0])
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE < everywhere <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE + MIB


def test_all_is_handed_on_alike():
    differing = {place: set(re.findall(r"^\s*(\w+)", text, re.MULTILINE)) for place, text in PASSING.items()}
    assert differing == {"/": {"proxy_pass"}, IMPORT: {"proxy_pass", "client_max_body_size"}}
    assert set(re.findall(r"proxy_pass [^;]+", CONF)) == {"proxy_pass http://web"}
