"""The inbox's page in a real browser: what a person reads, and that no message can do more than be read."""

import shutil
import smtplib
import subprocess
from collections.abc import Callable
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--virtual-time-budget=4000"),
)

PAGE = {
    "username": "Alertmanager",
    "attachments": [
        {
            "color": "#D00000",
            "title": "PAGE  Engine down: chat on node-3",
            "title_link": "http://127.0.0.1/runbooks/EngineDown",
            "text": "*Impact:* all of `chat` &lt;b&gt; since <!date^1795237951^{ago}|2026-11-21>, <http://a.example/x|see>",
            "fields": [{"title": "Host", "value": "node-3", "short": True}],
            "actions": [{"type": "button", "text": "Runbook", "url": "http://127.0.0.1/runbooks/EngineDown"}],
            "footer": "EngineDown",
        }
    ],
}

Read = Callable[[str], str]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """The page's DOM after its script has run for a while."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.fail("no chromium on PATH: the page of the inbox cannot be tested; install the package chromium")

    def dom(url: str) -> str:
        command = [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", url]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    return dom


def send_mail(inbox: Any, subject: str, html: str) -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "am@example.org", "oncall@example.org"
    mail.set_content("plain words\n")
    mail.add_alternative(html, subtype="html")
    host, port = inbox.smtp.rsplit(":", 1)
    with smtplib.SMTP(host, int(port), timeout=5) as session:
        session.send_message(mail)


def test_a_person_reads_a_page_as_slack_and_a_mailbox_would_show_it(inbox: Any, read: Read) -> None:
    inbox.post(PAGE).raise_for_status()
    send_mail(inbox, "[PAGE] Engine down: chat on node-3", "<p>html words</p>")
    dom = read(inbox.url)
    assert "border-left-color: rgb(208, 0, 0)" in dom
    assert (
        '<a href="http://127.0.0.1/runbooks/EngineDown" target="_blank" rel="noopener noreferrer">PAGE  Engine' in dom
    )
    assert "<b>Impact:</b> all of <code>chat</code> &lt;b&gt; since <time" in dom
    assert "ago</time>" in dom or "in 0 seconds</time>" in dom
    assert 'href="http://a.example/x"' in dom
    assert "<b>Host</b>" in dom
    assert ">Runbook</a>" in dom
    assert '<span class="subject">[PAGE] Engine down: chat on node-3</span>' in dom
    assert "am@example.org to oncall@example.org" in dom
    assert '<base target="_blank"><p>html words</p>' in unescape(dom)
    assert ">live<" in dom


def test_an_empty_inbox_says_what_to_do(inbox: Any, read: Read) -> None:
    assert '<div class="empty">No message yet. Break something: <code>make drill' in read(inbox.url)


def test_no_message_can_run_a_script_or_load_anything(inbox: Any, read: Read) -> None:
    attack = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    texts = dict.fromkeys(("title", "text", "pretext", "footer", "fallback"), f"PAGE  {attack}")
    links = {"title_link": "javascript:document.title='owned'", "actions": [{"text": "x", "url": "javascript:1"}]}
    fields = {"fields": [{"title": attack, "value": f"<javascript:alert(1)|{attack}>"}], "color": "red;}*{display:none"}
    inbox.post({"text": attack, "username": attack, "attachments": [texts | links | fields]}).raise_for_status()
    send_mail(inbox, f"[PAGE] {attack}", f'{attack}"><script>parent.document.title="owned"</script>')
    dom = read(inbox.url)
    assert "<title>(2) Inferwatch inbox</title>" in dom
    assert "<script>document" not in dom.replace(dom[dom.index("srcdoc=") : dom.index("</iframe>")], "")
    assert "<img" not in dom.replace(dom[dom.index("srcdoc=") : dom.index("</iframe>")], "")
    assert 'href="javascript' not in dom
    assert 'sandbox="allow-same-origin allow-popups allow-popups-to-escape-sandbox"' in dom


def test_the_page_may_load_nothing_from_elsewhere(inbox: Any) -> None:
    policy = inbox.http.get("/").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    files = [inbox.http.get(path).text for path in ("/", "/page/inbox.css", "/page/inbox.js", "/page/slack.js")]
    assert all("innerHTML" not in text and "https://" not in text for text in files)
