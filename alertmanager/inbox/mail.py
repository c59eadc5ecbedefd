"""The mail server: takes every mail for anybody, keeps it, delivers it nowhere."""

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from alertmanager.inbox.faults import Faults
from alertmanager.inbox.messages import Content, Mailbox, Status, status_of

MAX_MAIL_BYTES = 1_000_000

_REPLIES = {
    "429": "451 4.7.0 too many messages, try again later",
    "500": "451 4.3.0 temporary failure, try again later",
    "403": "550 5.7.1 refused",
}


def read(source: bytes) -> Content:
    """Read a mail. A part that cannot be decoded is shown as far as it can be."""
    mail = message_from_bytes(source, policy=policy.default)
    subject = " ".join(str(mail.get("Subject", "")).split())
    text, html = _part(mail, "plain"), _part(mail, "html")
    return Content("email", _status(mail, subject), subject, text or "", html, source.decode("utf-8", "replace"))


def _status(mail: EmailMessage, subject: str) -> Status | None:
    said = str(mail.get("X-Alert-Status", "")).strip()
    by_header: Status | None = "firing" if said == "firing" else "resolved" if said == "resolved" else None
    return by_header or status_of(subject)


def _part(mail: EmailMessage, subtype: str) -> str | None:
    part = mail.get_body(preferencelist=(subtype,))
    if part is None:
        return None
    try:
        return str(part.get_content()).replace("\r\n", "\n")
    except LookupError:  # a charset that Python does not know
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else None


class _Handler:
    """What aiosmtpd asks; the names and arguments are its own."""

    def __init__(self, mailbox: Mailbox, faults: Faults) -> None:
        self._mailbox = mailbox
        self._faults = faults

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept any recipient. Faults act here: Alertmanager before 0.28 overlooks a refusal after the text."""
        mode = self._faults.take("email")
        if mode == "hang":
            await self._faults.changed("email")
            return _REPLIES["500"]
        if mode is not None and mode != "refuse":
            return _REPLIES[mode]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail."""
        content = envelope.content
        self._mailbox.add(read(content if isinstance(content, bytes) else (content or "").encode()))
        return "250 2.0.0 kept"


class _Dropped(asyncio.Protocol):
    """A connection that ends as it begins."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()


def protocol(mailbox: Mailbox, faults: Faults) -> asyncio.Protocol:
    """The protocol for one new SMTP connection."""
    if faults.mode("email") == "refuse":
        faults.take("email")
        return _Dropped()
    settings: dict[str, Any] = {"data_size_limit": MAX_MAIL_BYTES, "enable_SMTPUTF8": True, "ident": "inferwatch inbox"}
    connection: asyncio.Protocol = SMTP(_Handler(mailbox, faults), hostname="inbox", **settings)
    return connection
