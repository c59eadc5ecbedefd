"""The `inferwatch` command: start the stack, look at it, break it on purpose."""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import FrameType

import httpx
from rich.console import Console

from alerts import load as expected_load
from alerts.drills import DRILLS
from alerts.drills.drill import DrillRefused
from alerts.drills.judge import Report
from alerts.drills.run import run
from alerts.explain import explain
from alerts.timing import CLOCKS
from compose import backup, boards, doctor, notify
from compose.binaries import BinariesMissingError
from compose.configuration import ConfigurationError
from compose.containers import ContainersError, ContainerStack
from compose.native import NativeStack, StackError
from compose.readiness import NotReadyError
from compose.settings import Settings, from_environment
from dashboards.publish import PublishError

_FAILED, _USAGE, _INTERRUPTED = 1, 2, 130

_EPILOG = """\
exit status: 0 done or well, 1 failed or unwell, 2 wrong usage or setting

environment:
  INFERWATCH_STATE_DIR   everything that is written (default .inferwatch in the checkout)
  INFERWATCH_BIN         where prometheus, alertmanager, ... are, or are fetched to (default its bin/)
  INFERWATCH_CLOCK       real, compressed or relaxed, as --clock
  INFERENCE_PORT 8000, GPU_EXPORTER_PORT 9836, PROBE_PORT 9837, DEADMAN_PORT 9838, INBOX_HTTP_PORT 8025,
  INBOX_SMTP_PORT 1025, PROMETHEUS_PORT 9090, ALERTMANAGER_PORT 9093, NODE_EXPORTER_PORT 9100
  GPU_EXPORTER_SOURCE    auto (default: real GPUs where there is a driver), nvml or simulated, which GPU drills need
  RUNBOOK_URL, GRAFANA_URL, ALERTMANAGER_UI_URL   where messages link to; empty leaves the link out
  GRAFANA_TOKEN_FILE     a service account's token, for `inferwatch dashboards` and the marks of drills in GRAFANA_URL
  TEAMS_FILE             who is told (default alertmanager/teams.yaml)
  INFERWATCH_CHANNELS    inbox (default): no message leaves this machine. real: messages reach people, by
    SECRETS_DIR          folder of the secret files that the teams name (slack_url, smtp_password, ...)
    SMTP_SMARTHOST, SMTP_FROM, SMTP_USER; SMTP_REQUIRE_TLS (default true)
    HEARTBEAT_URL_FILE   a second, outside watcher of the heartbeat; PAGERDUTY_URL for another region

Ports, clock and channels of a running stack are remembered until `inferwatch down`.
"""

Command = Callable[[argparse.Namespace, Settings, Console], int]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; every failure is a message on standard error and a status, never a traceback."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    console = Console(highlight=False, soft_wrap=True)
    try:
        settings = from_environment(os.environ)
    except ValueError as error:
        return _fail(str(error), _USAGE)
    try:
        command: Command = options.command
        return command(options, settings, console)
    except NotReadyError as error:
        return _fail(f"{error}\nEvery part's log is in {settings.state.log}.", _FAILED)
    except (
        StackError,
        ContainersError,
        ConfigurationError,
        BinariesMissingError,
        DrillRefused,
        PublishError,
    ) as error:
        return _fail(str(error), _FAILED)
    except ValueError as error:  # objectives.yaml, timing.yaml or teams.yaml
        return _fail(str(error), _USAGE)
    except (OSError, RuntimeError, httpx.HTTPError) as error:
        return _fail(f"{type(error).__name__}: {error}", _FAILED)
    except KeyboardInterrupt:
        return _fail("interrupted", _INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="inferwatch",
        description="Run the on-call stack for GPU inference as local processes; ask and break it in containers, too.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    up = _command(commands, "up", _up, "start everything that does not run; returns when all of it is healthy")
    clocks = "compressed: the tests' clock, same rules, less waiting; relaxed: at half its pace"
    up.add_argument("--clock", choices=CLOCKS, help=clocks)
    _command(commands, "reload", _reload, "take objectives.yaml and timing.yaml over into the running stack")
    _command(commands, "down", _down, "stop every process; data and logs stay")
    status = _command(commands, "status", _status, "show every part: URL, health, process id")
    status.add_argument("--json", action="store_true", help="a list of {name, url, healthy, pid}")
    _in_containers(status)
    drill = _command(commands, "drill", _drill, "break the running stack on purpose and judge what is heard")
    what = drill.add_mutually_exclusive_group(required=True)
    what.add_argument("name", nargs="?", metavar="NAME", choices=[one.name for one in DRILLS], help="see --list")
    what.add_argument("--list", action="store_true", help="name every drill and what it does")
    drill.add_argument("--real-channels", action="store_true", help="also where messages reach people")
    _in_containers(drill)
    for name, command, words in (
        ("backup", _backup, "write silences, Prometheus' data and Grafana's to a file; each store is down for seconds"),
        ("restore", _restore, "put a backup in place of what the running stack has"),
    ):
        keeping = _command(commands, name, command, words)
        keeping.add_argument("file", type=Path, metavar="FILE", help="the backup, a .tar.gz")
        _in_containers(keeping)
    rules = commands.add_parser("rules", help="look into the alert rules", description="Look into the alert rules.")
    about_rules = rules.add_subparsers(metavar="COMMAND", required=True)
    about = _command(about_rules, "explain", _explain, "say what one alert means and does")
    about.add_argument("name", metavar="ALERT", help="its name, as in a message")
    fleet = _command(about_rules, "load", _load, "expect so many pages a week of a fleet, by published failure rates")
    for kind in ("gpus", "hosts", "engines", "services"):
        fleet.add_argument(f"--{kind}", type=int, required=True, metavar="N", help=f"how many {kind} there are")
    fleet.add_argument(
        "--spare", type=int, default=0, metavar="N", help="replicas of a service beyond those needed (0)"
    )
    fleet.add_argument("--repair-hours", type=float, default=4, metavar="H", help="until a replica serves again (4)")
    notifying = _command(commands, "notify", _notify, "send a test page through every channel and say which took it")
    notifying.add_argument("what", choices=["test"], help="the marked test page")
    export = _command(commands, "export", _export, "write a part of the stack for an installation that exists already")
    export.add_argument("what", choices=["alertmanager"], help="routes, inhibit rules, receivers and templates")
    export.add_argument("--into", type=Path, metavar="FILE", help="also write FILE with them merged into it")
    export.add_argument("--output", type=Path, default=Path("export"), metavar="DIR", help="where to (%(default)s)")
    export.add_argument(
        "--installed-at", metavar="DIR", help="where the templates will lie on that machine (default: --output)"
    )
    _dashboards_parser(commands)
    _command(commands, "doctor", _doctor, "check what the stack needs, and say what to do about what is missing")
    return parser


def _dashboards_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    about = "keep the boards of a Grafana of yours the same as these"
    parser = commands.add_parser("dashboards", help=about, description=f"{about[0].upper()}{about[1:]}.")
    what = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, command, does in (
        ("check", boards.check, "say whether that Grafana could take them; changes nothing"),
        ("push", boards.push, "write those that are missing or differ into the folder Inferwatch"),
        ("diff", boards.diff, "show what a push would change; status 1 where it would"),
        ("prune", boards.prune, "delete boards of this project that it no longer has"),
    ):
        one = _command(what, name, command, does)
        one.add_argument("--url", metavar="URL", help="default: GRAFANA_URL")
        one.add_argument("--token-file", type=Path, metavar="FILE", help="default: GRAFANA_TOKEN_FILE")
        if name in ("push", "prune"):
            one.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, command: Command, about: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    parser.set_defaults(command=command)
    return parser


def _in_containers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--containers", action="store_true", help="of the stack in containers, not of the native one")


def _running(options: argparse.Namespace, settings: Settings) -> NativeStack | ContainerStack:
    """The stack that is meant, which must run."""
    if options.containers:
        stack = ContainerStack()
        if not stack.running():
            raise StackError("no container of the stack runs; start it with `docker compose up --wait` in compose/")
        return stack
    native = NativeStack(settings)
    if not native.supervision.running():
        raise StackError("the stack does not run; start it with `make up`")
    return native


def _up(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    stack = NativeStack(settings.at(options.clock) if options.clock else settings)
    with console.status("starting"):
        stack.up(lambda line: console.print(line, markup=False))
    parts = stack.status()
    console.print("\nThe stack is up:")
    for part in parts:
        console.print(f"  {part.name:14} {part.url}", markup=False)
    if stack.receivers_are_inbox:
        where = f"Messages arrive at {stack.url('inbox')}. Next: `make drill NAME=engine_dies`, `make status`"
    else:
        where = "Messages reach people. Next: `inferwatch notify test`, `make status`"
    console.print(f"\n{where}, `make down`.")
    return 0


def _reload(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    changed = NativeStack(settings).reload()
    console.print(f"taken over by {', '.join(sorted(changed))}" if changed else "nothing changed", markup=False)
    return 0


def _down(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    NativeStack(settings).down()
    console.print(f"Nothing of the stack in {settings.state.root} runs any more.", markup=False)
    return 0


def _status(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    parts = ContainerStack().status() if options.containers else NativeStack(settings).status()
    if options.json:
        print(json.dumps([asdict(part) for part in parts], indent=2))
    else:
        for part in parts:
            word = "healthy" if part.healthy else "unhealthy" if part.pid else "down"
            print(f"{part.name:14} {word:10} {part.pid or '-':>8}  {part.url}")
    return 0 if parts and all(part.healthy for part in parts) else _FAILED


def _drill(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    if options.list:
        for drill in DRILLS:
            print(f"{drill.name:22} {drill.story}  [{drill.alert}]")
        return 0
    stack = _running(options, settings)
    drill = next(one for one in DRILLS if one.name == options.name)
    began = time.time()
    report = run(drill, stack, lambda line: print(line, flush=True), real_channels=options.real_channels)
    _print_report(report, stack.clock if isinstance(stack, ContainerStack) else settings.clock)
    boards.mark(drill.name, began)
    return 0 if report.ok else _FAILED


def _print_report(report: Report, clock: str) -> None:
    print(f"\n{report.drill} at the {clock} clock:")
    for word, times, limit in (
        ("paged", report.paged, report.deadline),
        ("resolved", report.resolved, report.resolve_deadline),
    ):
        for channel, seconds in times.items():
            print(f"  {channel:6} {word:9} after {seconds:5.1f} s (at most {limit:.0f} s)")
    for problem in report.problems:
        print(f"  PROBLEM {problem}")
    print("proven" if report.ok else "not proven")


def _backup(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    _print_kept(backup.save(_running(options, settings), options.file))
    return 0


def _restore(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    _print_kept(backup.load(_running(options, settings), options.file))
    return 0


def _print_kept(kept: Mapping[str, int]) -> None:
    for what, size in kept.items():
        print(f"{what:14} {size if what == 'silences' else f'{size / 1e6:.1f} MB'}")


def _explain(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    try:
        print(explain(options.name, settings.timing))
    except KeyError as unknown:
        return _fail(unknown.args[0], _USAGE)
    return 0


def _load(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    size = (options.gpus, options.hosts, options.engines, options.services)
    print(expected_load.explain(expected_load.Fleet(*size, options.spare, options.repair_hours)))
    return 0


def _notify(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    with console.status("sending"):
        outcomes = notify.test(settings)
    for outcome in outcomes:
        said = f"accepted after {outcome.seconds:.1f} s" if outcome.accepted else f"NOT ACCEPTED: {outcome.words}"
        print(f"{outcome.channel.receiver:20} {outcome.channel.kind:10} {said}")
    if not settings.real_channels:
        print(f"\nAll of these are the inbox, {settings.url('inbox')}; see `inferwatch --help` for real channels.")
    return 0 if all(outcome.accepted for outcome in outcomes) else _FAILED


def _export(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    for path in notify.export(settings, os.environ, options.output, options.into, options.installed_at):
        print(path)
    return 0


def _doctor(options: argparse.Namespace, settings: Settings, console: Console) -> int:
    checks = doctor.examine(settings)
    for check in checks:
        print(f"{'ok  ' if check.ok else 'FAIL'} {check.subject}: {check.found}")
        if not check.ok:
            print(f"     -> {check.remedy}")
    return 0 if all(check.ok for check in checks) else _FAILED


def _terminated(number: int, frame: FrameType | None) -> None:
    # As Ctrl-C, so that what was started is stopped.
    raise KeyboardInterrupt


def _fail(message: str, code: int) -> int:
    print(f"inferwatch: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
