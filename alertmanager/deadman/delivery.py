"""Channels of the switch's own, each in a thread, so that one that hangs delays no other.

A notice is sent again until its channel takes it.
"""

import logging
import smtplib
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from alertmanager.address import Address
from alertmanager.deadman.words import Notice, email, slack

SEND_TIMEOUT = 10.0
"""Seconds until an attempt is given up."""
KEPT = 20
"""Notices that wait for a failing channel; the oldest go first."""

_LOG = logging.getLogger("deadman")


class DeliveryError(Exception):
    """A channel did not take a notice; the text says why, without the channel's secret."""


@dataclass(frozen=True, slots=True)
class SlackWebhook:
    """Slack by an incoming webhook, whose URL is read from its file at each attempt, so it can be rotated."""

    url_file: Path
    name = "slack"

    def send(self, notice: Notice) -> None:
        """Send once.

        Raises:
            DeliveryError: Slack did not answer 200 and `ok`.
        """
        try:
            response = httpx.post(self.url_file.read_text().strip(), json=slack(notice), timeout=SEND_TIMEOUT)
        except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeliveryError(type(error).__name__) from error
        if response.status_code != 200 or response.text.strip() != "ok":
            raise DeliveryError(f"status {response.status_code}: {response.text[:100]!r}")


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail server. Port 465 speaks TLS from the start, any other is asked whether it can."""

    server: Address
    sender: str
    to: str
    require_tls: bool = False
    """True: only by TLS, to a server whose certificate holds. False: TLS where the server offers it, unchecked,
    since a page in the clear is better than none. A password is sent as if this were True."""
    user: str = ""
    password_file: Path | None = None
    name = "email"

    def send(self, notice: Notice) -> None:
        """Send once.

        Raises:
            DeliveryError: The server could not be reached or refused.
        """
        try:
            with self._connect() as session:
                if self.user and self.password_file:
                    session.login(self.user, self.password_file.read_text().strip())
                session.send_message(email(notice, self.sender, self.to))
        except (OSError, ValueError, smtplib.SMTPException) as error:
            raise DeliveryError(f"{type(error).__name__}: {str(error)[:200]}") from error

    def _connect(self) -> smtplib.SMTP:
        checked = self.require_tls or bool(self.user)
        context = ssl.create_default_context() if checked else None
        host, port = self.server
        if port == 465:
            return smtplib.SMTP_SSL(host, port, timeout=SEND_TIMEOUT, context=context)
        session = smtplib.SMTP(host, port, timeout=SEND_TIMEOUT)
        session.ehlo()
        if checked or session.has_extn("starttls"):
            session.starttls(context=context)
        return session


class Courier:
    """Delivers notices to one channel in order, each until it is taken."""

    def __init__(self, channel: SlackWebhook | Mail, first_pause: float = 1.0, longest_pause: float = 60.0) -> None:
        self.name = channel.name
        self.delivered = 0
        self.failed = 0
        self._send: Callable[[Notice], None] = channel.send
        self._pauses = (first_pause, longest_pause)
        self._waiting: deque[Notice] = deque(maxlen=KEPT)
        self._something = threading.Condition()
        threading.Thread(target=self._run, name=f"deadman-{self.name}", daemon=True).start()

    @property
    def waiting(self) -> int:
        """Notices that are not delivered yet."""
        return len(self._waiting)

    def post(self, notice: Notice) -> None:
        """Hand over a notice; returns at once."""
        with self._something:
            self._waiting.append(notice)
            self._something.notify()

    def _run(self) -> None:
        while True:
            with self._something:
                self._something.wait_for(lambda: self._waiting)
                notice = self._waiting[0]
            self._deliver(notice)
            with self._something:
                if self._waiting and self._waiting[0] is notice:  # else the bound has pushed it out
                    self._waiting.popleft()

    def _deliver(self, notice: Notice) -> None:
        pause, longest = self._pauses
        while True:
            try:
                self._send(notice)
            except DeliveryError as error:
                self.failed += 1
                _LOG.warning("%s did not take %r, next attempt in %.0f s: %s", self.name, notice.status, pause, error)
                threading.Event().wait(pause)
                pause = min(2 * pause, longest)
            else:
                self.delivered += 1
                _LOG.info("%s took %r", self.name, notice.status)
                return
