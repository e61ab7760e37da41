"""Messages about alerts in Slack's format, posted to public addresses only, as webhooks are."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import orjson

from events.webhooks.addresses import check_url, guarded_socket
from ops.alerts.models import Notification
from ops.alerts.sealing import unseal
from ops.alerts.wording import Message, Section, message_of
from ops.jobs.registry import GiveUp
from walletplatform.api.problems import Problem

SECONDS = 10
# Slack takes 50 blocks of 3,000 characters.
MOST_SHOWN, LONGEST = 12, 2_900
RETRYABLE = (408, 425, 429)


def post_to_slack(notification: Notification) -> None:
    """
    Post a message to the address of its rule.

    :raises GiveUp: where no try can succeed: no address, one that leads inside, a refusal
    :raises RuntimeError: where a later try may
    """
    rule = notification.configuration
    if rule is None or not rule.slack_url:
        raise GiveUp("The rule has no Slack address any more.")
    address = unseal(rule.slack_url)
    try:
        check_url(address)
    except Problem as problem:
        raise GiveUp(problem.detail) from None
    body = orjson.dumps(payload(message_of(notification)))
    try:
        status = asyncio.run(_post(address, body, str(notification.pk)))
    except TimeoutError:
        raise RuntimeError(f"No answer in {SECONDS} s.") from None
    except (aiohttp.ClientError, OSError) as failed:
        # Not its words: they may name the address, which is a secret.
        raise RuntimeError(f"It could not be reached: {type(failed).__name__}.") from None
    if 200 <= status < 300:
        return
    if 400 <= status < 500 and status not in RETRYABLE:
        raise GiveUp(f"It answered {status}.")
    raise RuntimeError(f"It answered {status}.")


def payload(message: Message) -> dict[str, Any]:
    """Return Slack's JSON: the text for notices on a phone, blocks for the channel."""
    blocks: list[dict[str, Any]] = []
    for section in message.sections:
        blocks += _blocks(section, message.link)
    return {"text": escaped(message.subject), "blocks": blocks}


def _blocks(section: Section, link: str) -> list[dict[str, Any]]:
    more = section.more + max(len(section.shown) - MOST_SHOWN, 0)
    lines = [f"*{escaped(section.head)}*"]
    blocks = [_block("\n".join(lines))]
    for told in section.shown[:MOST_SHOWN]:
        facts = ", ".join(filter(None, [told.get("value"), told.get("threshold"), f"since {told['since']}"]))
        text = f"*<{told['link']}|{escaped(told['title'])}>* ({escaped(told['severity'])})\n{escaped(facts)}"
        blocks.append(_block(text + (f"\n{escaped(told['detail'])}" if told.get("detail") else "")))
    return [*blocks, *([_block(f"<{link}|{more} more>")] if more else [])]


def _block(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:LONGEST]}}


def escaped(text: str) -> str:
    """Slack's control characters, so that nobody's words become links or calls to everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "\N{BROKEN BAR}")


async def _post(address: str, body: bytes, key: str) -> int:
    connector = aiohttp.TCPConnector(resolver=aiohttp.AsyncResolver(), socket_factory=guarded_socket)
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    headers = {"Content-Type": "application/json", "Idempotency-Key": key, "User-Agent": "walletplatform-alerts/1"}
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.post(address, data=body, headers=headers, allow_redirects=False) as response,
    ):
        return response.status
