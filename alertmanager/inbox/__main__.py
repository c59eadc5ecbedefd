"""`python -m alertmanager.inbox`: a Slack webhook and a mail server that show what arrived."""

import argparse
import asyncio
import os
import socket
import sys
from pathlib import Path

import uvicorn

import alerts
from alertmanager.address import Address, listen, parse
from alertmanager.inbox.connection import CuttableConnection
from alertmanager.inbox.faults import Faults
from alertmanager.inbox.mail import protocol
from alertmanager.inbox.messages import Mailbox
from alertmanager.inbox.web import application

_RUNBOOKS = Path(alerts.__file__).with_name("runbooks")


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    options = _options(arguments)
    try:
        http, smtp = listen(options.http), listen(options.smtp)
    except OSError as error:
        print(f"python -m alertmanager.inbox: {error}; name another one by --http or --smtp", file=sys.stderr)
        return 1
    asyncio.run(_serve(http, smtp, options.runbooks))
    return 0


async def _serve(http: socket.socket, smtp: socket.socket, runbook_folder: Path) -> None:
    mailbox, faults = Mailbox(), Faults()
    loop = asyncio.get_running_loop()
    mail = await loop.create_server(lambda: protocol(mailbox, faults), sock=smtp)
    app = application(mailbox, faults, runbook_folder, CuttableConnection.cut)
    config = uvicorn.Config(
        app,
        http=CuttableConnection,
        lifespan="off",
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=1,  # a connection that hangs on purpose must not hold the exit
    )
    print(f"inbox: read it at http://{_bound(http)}, mail to {_bound(smtp)}", flush=True)
    try:
        await uvicorn.Server(config).serve(sockets=[http])
    finally:
        mail.close()


def _bound(listening: socket.socket) -> Address:
    return Address(*listening.getsockname()[:2])


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m alertmanager.inbox",
        description="A Slack webhook (POST /slack) and a mail server that deliver to nobody and show what arrived, "
        "on a page (GET /) and as JSON (GET /api/messages).",
    )
    environment = os.environ
    parser.add_argument(
        "--http",
        type=_address,
        default=environment.get("INBOX_HTTP", "127.0.0.1:8025"),
        metavar="HOST:PORT",
        help="where the page, the API and the webhook listen (INBOX_HTTP, %(default)s)",
    )
    parser.add_argument(
        "--smtp",
        type=_address,
        default=environment.get("INBOX_SMTP", "127.0.0.1:1025"),
        metavar="HOST:PORT",
        help="where the mail server listens (INBOX_SMTP, %(default)s)",
    )
    parser.add_argument(
        "--runbooks", type=Path, default=_RUNBOOKS, metavar="DIR", help="folder of <AlertName>.md (alerts/runbooks)"
    )
    options = parser.parse_args(arguments)
    if not options.runbooks.is_dir():
        parser.error(f"--runbooks: {options.runbooks} is not a folder")
    return options


def _address(text: str) -> Address:
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
