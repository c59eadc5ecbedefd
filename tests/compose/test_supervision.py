"""Parts are kept running, kept down, frozen and ended: asserted on real processes."""

import os
import signal

import pytest

from compose.part import Part
from compose.readiness import healthy
from compose.state import State
from compose.supervision import Supervision


def running_pid(supervision, name):
    return supervision.processes()[name].pid


def serving(supervision, name):
    return healthy(supervision.parts[name])


@pytest.fixture
def up(supervised, web, eventually):
    """One web server, answering."""
    supervision = supervised(web("web"))
    eventually(lambda: serving(supervision, "web"))
    return supervision


def test_a_killed_part_comes_back_as_another_process(up, eventually):
    before = running_pid(up, "web")
    up.kill("web")
    after = eventually(lambda: running_pid(up, "web") not in (None, before) and running_pid(up, "web"))
    assert after != before
    eventually(lambda: serving(up, "web"))


def test_a_held_part_stays_down_until_it_is_released(up, eventually):
    up.hold("web")
    assert serving(up, "web")  # holding alone breaks nothing
    up.kill("web")
    eventually(lambda: up.processes()["web"].state == "RUNNING" and running_pid(up, "web") is None)
    assert not serving(up, "web")
    up.release("web")
    eventually(lambda: serving(up, "web"))


def test_a_frozen_part_keeps_its_process_and_answers_only_once_resumed(up):
    before = running_pid(up, "web")
    up.stop("web")
    assert not serving(up, "web")
    up.resume("web")
    assert serving(up, "web")
    assert running_pid(up, "web") == before


def test_a_killed_part_takes_its_children_with_it(supervised, eventually, tmp_path):
    child_file = tmp_path / "child"
    # As a program with a worker process: it waits for the child that it has started.
    parent = f"sleep 600 & echo $! >{child_file}; wait"
    supervision = supervised(Part("parent", ("sh", "-c", parent), "http://127.0.0.1:1"))
    child = int(eventually(lambda: child_file.exists() and child_file.read_text()))
    supervision.hold("parent")
    supervision.kill("parent")
    eventually(lambda: not alive(child))


def test_an_unknown_part_is_an_error_that_names_it(up):
    with pytest.raises(KeyError, match="nosuch"):
        up.hold("nosuch")
    with pytest.raises(KeyError, match="nosuch"):
        up.kill("nosuch")


def test_the_end_leaves_no_process(up, state, pids_of):
    assert pids_of(state)
    assert up.end() == []
    assert pids_of(state) == []


def test_the_end_leaves_no_process_where_a_part_is_frozen(up, state, pids_of):
    up.stop("web")
    assert up.end() == []
    assert pids_of(state) == []


def test_the_end_leaves_no_process_after_the_supervisor_was_killed(up, state, pids_of, eventually):
    kill_supervisor(state, eventually, up)
    assert pids_of(state), "the part should have outlived its supervisor"
    assert up.end() == []
    assert pids_of(state) == []


def test_ending_what_does_not_run_is_no_error(state, web):
    assert Supervision(state, (web("web"),)).end() == []


def test_starting_twice_keeps_every_process(up, state, pids_of):
    before = sorted(pids_of(state))
    up.start()
    assert sorted(pids_of(state)) == before


@pytest.mark.parametrize("broken", ["held", "frozen", "orphaned"])
def test_starting_again_mends_a_stack_that_is(broken, up, state, pids_of, eventually):
    if broken == "held":
        up.hold("web")
        up.kill("web")
    elif broken == "frozen":
        up.stop("web")
    else:
        kill_supervisor(state, eventually, up)
    up.start()
    eventually(lambda: serving(up, "web"))
    assert len(pids_of(state)) == 2  # supervisord and the part


def test_a_part_whose_command_changed_is_started_anew(up, supervised, web, eventually, state, pids_of):
    other = web("web")
    changed = supervised(other)
    eventually(lambda: healthy(other))
    assert not healthy(up.parts["web"])
    assert len(pids_of(state)) == 2
    assert changed.processes()["web"].pid


def test_a_part_comes_and_goes_while_the_others_go_on(up, web, eventually, state, pids_of):
    (first,), second = up.parts.values(), web("second")
    before = running_pid(up, "web")
    up.hold("web")  # so that a restart would show
    up.change((first, second))
    eventually(lambda: serving(up, "second"))
    up.hold("second")
    up.kill("second")
    up.change((first,))
    assert len(pids_of(state)) == 2  # supervisord and the first
    up.change((first, second))
    eventually(lambda: serving(up, "second"))
    assert running_pid(up, "web") == before
    assert up.end() == []
    assert pids_of(state) == []


def test_two_stacks_run_side_by_side_and_end_apart(supervised, web, tmp_path, state, pids_of, eventually):
    other_state = State((tmp_path / "other").resolve())
    other_state.create()
    one, other = supervised(web("web")), supervised(web("web"), where=other_state)
    eventually(lambda: serving(one, "web") and serving(other, "web"))
    one.end()
    assert pids_of(state) == []
    assert serving(other, "web")


@pytest.mark.parametrize("folder", ["with space", "100%d", "x" * 120])
def test_any_directory_name_will_do(folder, supervised, web, tmp_path, eventually, pids_of):
    state = State((tmp_path / folder).resolve())
    state.create()
    supervision = supervised(web("web"), where=state)
    eventually(lambda: serving(supervision, "web"))
    assert supervision.log("web").parent == tmp_path / folder / "log"
    assert supervision.end() == []
    assert pids_of(state) == []


def test_what_a_part_writes_is_in_its_log(supervised, eventually):
    shell = 'echo "out $COLOUR"; echo err >&2; exec sleep 600'
    part = Part("talker", ("sh", "-c", shell), "http://127.0.0.1:1", environment={"COLOUR": "it's 100% red"})
    supervision = supervised(part)
    eventually(lambda: "err" in supervision.log("talker").read_text())
    assert supervision.log("talker").read_text() == "out it's 100% red\nerr\n"


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().split()[2] != "Z"


def kill_supervisor(state, eventually, supervision):
    pid = int((state.root / "supervisord.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not supervision.running())
