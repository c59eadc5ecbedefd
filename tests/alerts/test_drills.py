"""A drill's verdict: each way to be wrong is found, and a stack in no state to be drilled is refused."""

import json
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from alerts.drills import DRILLS
from alerts.drills.drill import DrillRefused
from alerts.drills.inbox import Message
from alerts.drills.judge import Report, judge
from alerts.drills.run import run
from alerts.rules import catalogue
from alerts.timing import load

KNOWN = catalogue(load())
DRILL = next(drill for drill in DRILLS if drill.name == "engine_dies")
REPORT = Report(
    "engine_dies",
    deadline=47,
    resolve_deadline=110,
    paged={"slack": 30.0, "email": 31.0},
    resolved={"slack": 90.0, "email": 91.0},
)


def message(channel="slack", status="firing", words="Engine down: chat http://inbox/runbooks/EngineDown"):
    return Message(f"{channel}-{status}-{words}", channel, 0.0, status, words[:20], words)


PROPER = [message(channel, status) for channel in ("slack", "email") for status in ("firing", "resolved")]


def verdict(heard, report=REPORT):
    return judge(DRILL, report, heard, ("Engine down", "chat"), KNOWN)


def test_one_firing_and_one_resolved_message_per_channel_is_a_proof():
    assert verdict(PROPER) == []


@pytest.mark.parametrize(
    ("heard", "problem"),
    [
        (PROPER[1:], "slack: 0 firing messages of EngineDown, not 1"),
        ([*PROPER, PROPER[0]], "slack: 2 firing messages of EngineDown, not 1"),
        (PROPER[:3], "email: 0 resolved messages of EngineDown, not 1"),
        (
            [*PROPER, message(words="Service down http://inbox/runbooks/ServiceDown")],
            "slack: an unexpected message: 'Service down http://'",
        ),
        ([*PROPER, message(status=None, words="hello")], "slack: an unexpected message: 'hello'"),
        (
            [message(words="Engine down: other http://inbox/runbooks/EngineDown"), *PROPER[1:]],
            "slack: 'Engine down: other h' does not name 'chat'",
        ),
        (
            [message(words="Engine down: chat /runbooks/EngineDown /runbooks/ServiceDown"), *PROPER[1:]],
            "slack: 0 firing messages of EngineDown, not 1",
        ),
    ],
    ids=["page lost", "page twice", "resolve lost", "symptom leaked", "stray", "wrong service", "two alerts in one"],
)
def test_what_is_wrong_is_said(heard, problem):
    assert problem in verdict(heard)


def test_a_late_page_is_no_proof():
    late = replace(REPORT, paged={"slack": 48.0, "email": 31.0})

    assert verdict(PROPER, late) == ["slack: the firing message of EngineDown came later than 47 s"]


def test_a_twin_in_the_words_is_not_its_root():
    assert message(words="/runbooks/EngineDownMutesService").alerts(KNOWN) == set()


class ScriptedStack:
    """A stack of one loopback server that answers for Prometheus and the inbox."""

    timing = load().compressed()

    def __init__(self, base, *, receivers_are_inbox=True):
        self.base, self.receivers_are_inbox = base, receivers_are_inbox

    def url(self, part):
        return self.base


@pytest.fixture
def prometheus():
    """A server and the alerts that its next answers tell of, one set for each; the last one stays. And what ended."""
    answers = [[{"alertname": "TargetDown", "severity": "ticket"}]]
    ended = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer = []
            if self.path.startswith("/api/v1/query?"):
                answer = {"data": {"result": ended.pop(0) if ended else []}}
            elif self.path != "/api/messages":
                alerts = [{"labels": labels} for labels in (answers.pop(0) if len(answers) > 1 else answers[0])]
                answer = {"data": {"alerts": alerts}}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, format, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", answers, ended
        server.shutdown()
        thread.join()


def untouched(drill):
    def fail(stack):
        pytest.fail("the drill broke something before it was allowed to")

    return replace(drill, inject=fail, mend=fail)


def test_a_stack_with_an_active_alert_is_not_drilled(prometheus):
    with pytest.raises(DrillRefused, match="already active: TargetDown"):
        run(untouched(DRILL), ScriptedStack(prometheus[0]), print)


def test_a_drill_waits_until_no_earlier_incident_mutes_its_alert(prometheus, capsys):
    url, answers, _ = prometheus
    twins = [{"alertname": name, "severity": "none"} for name in ("EngineDownMutesService", "SloFastBurnMutesSlo")]
    answers[:] = [twins, twins[1:], twins, twins[1:], [{"alertname": "TargetDown", "severity": "ticket"}]]
    drill = next(drill for drill in DRILLS if drill.alert == "ServiceDown")

    # The last answer shows that it has gone on to look for active alerts.
    with pytest.raises(DrillRefused, match="already active: TargetDown"):
        run(untouched(drill), ScriptedStack(url), print)
    assert capsys.readouterr().out == "waiting up to 15 s: an earlier incident still mutes ServiceDown\n"


def test_a_drill_waits_until_the_end_of_an_earlier_incident_is_told(prometheus):
    url, answers, ended = prometheus
    one = [{"metric": {"alertname": "TargetDown"}, "value": [0, "1"]}]
    ended[:] = [one, one, []]
    answers[:] = [[], [], [], [], *answers]

    with pytest.raises(DrillRefused, match="already active: TargetDown"):
        run(untouched(DRILL), ScriptedStack(url), print)
    assert (ended, len(answers)) == ([], 1)


class ScalingStack(ScriptedStack):
    """Counts its replicas instead of running them."""

    def __init__(self, base, had):
        super().__init__(base)
        self.scaled, self.now = [], had

    def replicas(self):
        return tuple(f"inference-{number}" for number in range(1, self.now + 1))

    def scale(self, replicas):
        self.scaled.append(replicas)
        self.now = replicas


@pytest.mark.parametrize(("had", "grown"), [(1, [2, 1]), (3, [3, 3])])
def test_what_a_drill_grew_is_taken_away_even_where_it_is_interrupted(had, grown, prometheus):
    url, answers, _ = prometheus
    answers[:] = [[]]

    def interrupted(stack):
        assert len(stack.replicas()) == grown[0]
        raise KeyboardInterrupt

    stack = ScalingStack(url, had)
    drill = replace(DRILL, replicas=2, inject=interrupted, mend=lambda stack: None)
    with pytest.raises(KeyboardInterrupt):
        run(drill, stack, print)
    assert stack.scaled == grown


def test_a_refused_drill_grows_nothing(prometheus):
    stack = ScalingStack(prometheus[0], 1)
    with pytest.raises(DrillRefused):
        run(replace(untouched(DRILL), replicas=2), stack, print)
    assert stack.scaled == []


def test_a_stack_whose_messages_reach_people_is_not_drilled():
    stack = ScriptedStack("http://127.0.0.1:1", receivers_are_inbox=False)

    with pytest.raises(DrillRefused, match="--real-channels"):
        run(untouched(DRILL), stack, print)


def test_a_stack_that_is_down_is_not_drilled():
    with pytest.raises(DrillRefused, match="is it up"):
        run(untouched(DRILL), ScriptedStack("http://127.0.0.1:1"), print)
