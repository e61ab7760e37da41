"""
Which addresses a webhook may reach: public ones, however they are written.

Checked when an endpoint is saved and again at each connection, on the very address that is connected to
(``guarded_socket``): a name may lead elsewhere by then. Ranges: the IANA special-purpose registries
(RFC 6890), as Python's ``ipaddress`` knows them, and IPv6 addresses that stand for IPv4 ones.
"""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from walletplatform.api.problems import Problem, invalid

LOOKUP_SECONDS = 2
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?", re.ASCII | re.IGNORECASE)
_PLAIN = re.compile(r"[\x21-\x7e]+")
# https://url.spec.whatwg.org/#ends-in-a-number-checker: such a host is an IPv4 address in some notation.
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)", re.ASCII | re.IGNORECASE)
_PUBLIC_V6 = ipaddress.ip_network("2000::/3")
_SIX_TO_FOUR, _NAT64 = ipaddress.ip_network("2002::/16"), ipaddress.ip_network("64:ff9b::/96")
_LOOKUPS = ThreadPoolExecutor(8, thread_name_prefix="webhook-lookup")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Forbidden(PermissionError):
    """A connection to an address that no webhook may reach."""


def may_reach(text: str) -> bool:
    """Return whether a webhook may connect to the IP address ``text``."""
    address = _meant(ipaddress.ip_address(text.partition("%")[0]))
    if address.is_loopback:
        return bool(settings.WEBHOOKS_MAY_REACH_LOOPBACK)
    if isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC_V6:
        return False
    return address.is_global and not address.is_multicast


def _meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, or leads to; else itself."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address in _SIX_TO_FOUR:
        return ipaddress.IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address


def guarded_socket(info: tuple[Any, ...]) -> socket.socket:
    """
    Make the socket for one ``getaddrinfo`` entry.

    :raises Forbidden: where the entry's address may not be reached
    """
    family, kind, protocol, _, address = info
    if not may_reach(address[0]):
        raise Forbidden(errno.EACCES, f"{address[0]} is not a public address")
    return socket.socket(family, kind, protocol)


def check_url(url: str) -> None:
    """
    Refuse an address to which nothing may be sent, as far as can be told now.

    :raises Problem: ``validation_error`` at ``/url``
    """
    parts = _split(url)
    host = parts.hostname or ""
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.WEBHOOKS_MAY_REACH_LOOPBACK):
        raise _refused("A webhook's address begins with https://.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _refused("No user, password or #fragment belongs into a webhook's address.")
    addresses = [host] if _is_literal(host) else _looked_up(host)
    if not all(may_reach(address) for address in addresses):
        raise _refused("A webhook goes to a public address; this one leads inside.")


def _split(url: str) -> SplitResult:
    if not _PLAIN.fullmatch(url) or "\\" in url:
        raise _refused("An address has visible ASCII characters only, and no backslash.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("That is no address.") from None
    if not parts.netloc or port == 0:
        raise _refused("That is no address: https://host/path.")
    return parts


def _is_literal(host: str) -> bool:
    """Whether a host is an IP address as such; its odd notations (octal, hexadecimal, one number) are refused."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return "%" not in host
    if not _HOST.fullmatch(host) or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise _refused("The host is neither a name nor an address in the usual notation.")
    return False


def _looked_up(host: str) -> Iterable[str]:
    try:
        found = _LOOKUPS.submit(socket.getaddrinfo, host, None, 0, socket.SOCK_STREAM).result(LOOKUP_SECONDS)
    except (OSError, UnicodeError, TooLate):
        raise _refused("The host was not found in the DNS.") from None
    return {str(entry[4][0]) for entry in found}


def _refused(detail: str) -> Problem:
    return invalid("/url", "invalid_url", detail)
