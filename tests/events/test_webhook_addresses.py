"""A webhook reaches public addresses only, however an inner one is written."""

from __future__ import annotations

import socket

import pytest

from events.webhooks.addresses import Forbidden, check_url, guarded_socket, may_reach
from walletplatform.api.problems import Problem

INSIDE = [
    "127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
    "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0",
    "fc00::1", "fec0::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001:0:1234::1", "100::1",
]  # fmt: skip
OUTSIDE = ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822", "2002:5db8:d822::1"]
# Notations that some resolver or library takes for 127.0.0.1 or 169.254.169.254, and other tricks.
REFUSED = [
    "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://127.1/", "https://0177.0.0.1/",
    "https://127.0.0.1./", "https://[::ffff:7f00:1]/", "https://[::1]/", "https://[fe80::1%25eth0]/",
    "https://localhost/", "https://LOCALHOST./", "https://ip6-localhost/", "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/", "https://user@example.com/", "https://example.com:pass@127.0.0.1/",
    "https://example.com\\@127.0.0.1/", "https://127.0.0.1\\.example.com/", "https://example.com#@127.0.0.1/",
    "https://exa mple.com/", "https://example.com/\r\nHost: inside", "https://example.com/\0", "https:///hooks",
    "https://", "//127.0.0.1/", "http://93.184.216.34/", "ftp://93.184.216.34/", "file:///etc/passwd",
    "gopher://93.184.216.34/", "javascript:alert(1)", "https://93.184.216.34:0/", "https://93.184.216.34:99999/",
    "https://93.184.216.34:a/", "https://[93.184.216.34/", "https://no-such-host.invalid/", "https://.../",
    "https://-/", "https://a..b/", "https://" + "a" * 300 + "/", "https://1.2.3.4.5/", "https://example.0x1/",
    "https://169.254.169.254/latest/meta-data/", "", "hooks",
]  # fmt: skip


@pytest.fixture(autouse=True)
def production(settings):
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = False


@pytest.mark.parametrize("address", INSIDE)
def test_an_inner_address_is_not_reached(address):
    assert not may_reach(address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(Forbidden):
        guarded_socket((family, socket.SOCK_STREAM, 6, "", (address, 443)))


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_public_address_is_reached(address):
    assert may_reach(address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    guarded_socket((family, socket.SOCK_STREAM, 6, "", (address, 443))).close()


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_leads_inside_or_nowhere_is_refused(url):
    with pytest.raises(Problem) as refused:
        check_url(url)
    assert refused.value.errors[0]["pointer"] == "/url"


@pytest.mark.parametrize("url", ["https://93.184.216.34/hooks?a=b", "https://[2606:2800:220:1::1]:8443/"])
def test_a_public_url_is_taken(url):
    check_url(url)


def test_a_developer_may_reach_loopback_and_nothing_else_inside(settings):
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = True
    for url in ("http://127.0.0.1:8080/", "http://localhost/", "https://[::1]/"):
        check_url(url)
    for url in ("http://10.0.0.1/", "http://169.254.169.254/", "http://0.0.0.0/"):
        with pytest.raises(Problem):
            check_url(url)
