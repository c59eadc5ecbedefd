"""The audit log as a file: a day each, kept for so many days, for its owner alone."""

import json
import os
import stat
import time
from contextlib import closing

from inference.api.audit import AuditLog
from inference.telemetry.ended import Exchange

EXCHANGE = Exchange("GET", "/v1/models", arrived_ns=1_700_000_000 * 10**9, route="/v1/models", status=200)


def test_a_new_day_begins_a_new_file_and_old_ones_go(tmp_path):
    path = tmp_path / "audit.log"
    path.write_text("yesterday\n")
    yesterday = time.time() - 86_400
    os.utime(path, (yesterday, yesterday))
    before, last = (time.strftime("audit.log.%Y-%m-%d", time.gmtime(yesterday - days * 86_400)) for days in (2, 1))
    for name in (before, last, "audit.log.2026-01-03", "audit.log.old", "other.log.2026-01-03"):
        (tmp_path / name).touch()

    with closing(AuditLog(path, days=2)) as audit:
        audit.write(EXCHANGE)

    dated = time.strftime("audit.log.%Y-%m-%d", time.gmtime(yesterday))
    kept = {"audit.log", last, dated, "audit.log.old", "other.log.2026-01-03"}
    assert {file.name for file in tmp_path.iterdir()} == kept
    assert (tmp_path / dated).read_text() == "yesterday\n"
    assert json.loads(path.read_text())["time"] == "2023-11-14T22:13:20.000+00:00"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_operators_own_requests_are_not_in_it(tmp_path):
    with closing(AuditLog(tmp_path / "audit.log", days=2)) as audit:
        audit.write(Exchange("GET", "/metrics", status=200))
        audit.write(EXCHANGE)
    assert len((tmp_path / "audit.log").read_text().splitlines()) == 1


def test_a_day_also_begins_with_a_request_that_is_not_noted_and_a_start_deletes_too(tmp_path):
    path, old = tmp_path / "audit.log", tmp_path / "audit.log.2026-01-03"
    path.write_text("yesterday\n")
    os.utime(path, (time.time() - 86_400,) * 2)
    old.touch()
    with closing(AuditLog(path, days=2)) as audit:
        assert not old.exists()
        audit.write(Exchange("GET", "/metrics", status=200))
    assert path.read_text() == ""
