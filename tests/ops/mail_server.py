"""A mail server on a loopback port of its own; what it says hangs on the name in the address."""

from __future__ import annotations

import asyncio
import socket
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller


class MailServer:
    """
    ``got`` are the messages that it took. ``refused@`` is an address that there is not, ``later@`` one that it does
    not take now, ``spam@`` one whose mail it refuses, ``slow@`` one that it is silent about.
    """

    def __init__(self) -> None:
        self.got: list[tuple[str, Message]] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    def to(self, address: str) -> list[Message]:
        return [message for to, message in self.got if to == address]

    def close(self) -> None:
        self.controller.stop()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("slow@"):
            await asyncio.sleep(5)
        if address.startswith("refused@"):
            return "550 There is no such mailbox"
        if address.startswith("later@"):
            return "450 Try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        [address] = envelope.rcpt_tos
        if address.startswith("spam@"):
            return "554 This looks like spam"
        self.got.append((address, message_from_bytes(envelope.content, policy=default)))
        return "250 OK"
