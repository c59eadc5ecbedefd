"""What every board must be: laid out, labelled with variables that exist, linked to the others, marked."""

import itertools
import json
import re

from tests.boards import BOARDS

ONCALL = {"fleet", "service", "gpu"}
CHAINS = {
    "fleet": ["cluster", "namespace", "service", "host"],
    "service": ["cluster", "namespace", "service", "model", "instance"],
    "gpu": ["cluster", "host", "gpu"],
    "slo": ["cluster", "namespace", "service"],
    "capacity": ["cluster", "namespace", "service", "price"],
    "telemetry": ["cluster"],
    "gpu-fleet": ["cluster", "host"],
}
OWN = "-- Grafana --"
"""Grafana's own store of annotations, which no variable can name."""


def variables(board):
    return {variable["name"]: variable for variable in board["templating"]["list"]}


def uses(value):
    """Names of variables in a text or in anything that becomes JSON."""
    return {name for name in re.findall(r"\$\{?([a-zA-Z_]\w*)", json.dumps(value)) if not name.startswith("__")}


def test_three_boards_are_for_people_on_call_and_open_on_the_last_half_hour():
    oncall = {uid: board for uid, board in BOARDS.items() if "oncall" in board["tags"]}

    assert set(oncall) == ONCALL
    assert {(board["time"]["from"], board["refresh"]) for board in oncall.values()} == {("now-30m", "10s")}
    assert all("analysis" in board["tags"] for uid, board in BOARDS.items() if uid not in ONCALL)


def test_board_ends_now_and_refreshes_by_itself(board):
    assert board["time"]["to"] == "now"
    assert board["refresh"] in ("10s", "30s", "1m")


def test_board_says_for_whom_it_is_and_what_it_answers(board):
    assert board["description"].startswith("For ")
    assert "?" in board["description"]
    first = board["panels"][0]
    assert first["type"] == "text"
    assert first["options"]["content"].replace("**", "") == board["description"]


def test_board_cannot_be_edited_in_grafana(board):
    assert board["editable"] is False


def test_uid_is_the_name_of_its_file(board):
    assert BOARDS[board["uid"]] is board


def test_variables_that_are_used_exist_and_none_is_there_for_nothing(board):
    used = uses({key: value for key, value in board.items() if key != "tags"})
    assert used | {"runbooks"} == set(variables(board))


def test_variables_are_chained(board):
    chosen = [name for name in variables(board) if name not in ("datasource", "runbooks")]
    assert chosen == CHAINS[board["uid"]]
    earlier = {"datasource"}
    for name, variable in variables(board).items():
        asked = uses([variable.get("query", ""), variable.get("datasource", "")])
        assert asked <= earlier, name
        if variable["type"] == "query" and name != "cluster":
            assert "cluster" in asked, name
        earlier.add(name)


def test_what_can_be_chosen_is_all_until_chosen_and_looked_up_anew_with_the_range(board):
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            assert variable["includeAll"]
            assert variable["multi"]
            assert variable["current"]["value"] == ["$__all"]
            assert variable["allValue"] == ".*"
            assert variable["refresh"] == 2


def test_every_data_source_is_the_variable(board):
    def sources(value):
        if isinstance(value, dict):
            found = [value["datasource"]] if "datasource" in value else []
            return found + [source for child in value.values() for source in sources(child)]
        return [source for child in value for source in sources(child)] if isinstance(value, list) else []

    assert {source["uid"] for source in sources(board)} - {OWN} == {"${datasource}"}
    assert "${DS_" not in json.dumps(board)


def test_pages_changes_and_drills_are_marked(board):
    marks = {mark["name"]: mark for mark in board["annotations"]["list"]}

    assert all(mark["enable"] for mark in marks.values())
    assert set(marks) == {"Firing pages", "New build, model or configuration", "New GPU driver", "Drills"}
    assert marks["Drills"]["datasource"]["uid"] == OWN
    assert marks["Drills"]["target"]["tags"] == ["inferwatch", "drill"]


def test_board_leads_to_the_others_at_the_same_time_and_with_the_same_choices(board):
    links = [(link["tags"], link["keepTime"], link["includeVars"], link["type"]) for link in board["links"]]
    assert links == [
        (["inferwatch", "oncall"], True, True, "dashboards"),
        (["inferwatch", "analysis"], True, True, "dashboards"),
    ]


def test_a_link_into_a_board_sets_variables_that_it_has(board):
    for uid, query in re.findall(r'"/d/([\w-]+)/[\w-]+\?([^"]*)"', json.dumps(board)):
        assert {name.removeprefix("var-") for name in re.findall(r"var-\w+", query)} <= set(variables(BOARDS[uid]))
        assert "${__url_time_range}" in query


def test_panels_do_not_overlap_and_stay_on_the_grid(board):
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


def test_lines_of_panels_fill_the_grid_and_are_of_one_height(board):
    lines: dict[int, list[dict[str, int]]] = {}
    for panel in board["panels"]:
        lines.setdefault(panel["gridPos"]["y"], []).append(panel["gridPos"])
    assert {sum(place["w"] for place in line) for line in lines.values()} == {24}
    assert all(len({place["h"] for place in line}) == 1 for line in lines.values())


def test_panel_ids_are_distinct(board):
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
