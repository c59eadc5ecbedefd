"""What every board must be: laid out, labelled with variables that exist, reached from the alerts."""

import itertools
import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from dashboards.boards import BOARDS

RULES = Path(__file__).parents[2] / "alerts/generated"


def names_of_variables(board):
    return [variable["name"] for variable in board["templating"]["list"]]


def test_board_opens_on_the_last_half_hour_and_refreshes(board):
    assert (board["time"], board["refresh"]) == ({"from": "now-30m", "to": "now"}, "10s")


def test_board_says_what_it_answers(board):
    assert "?" in board["description"]
    assert set(board["tags"]) & {"oncall", "analysis"}


def test_every_variable_that_is_used_exists(board):
    text = json.dumps({key: value for key, value in board.items() if key != "tags"})
    used = {name for name in re.findall(r"\$\{?(\w+)", text) if not name.startswith("__")}
    assert used == set(names_of_variables(board))


def test_variables_that_alerts_set_are_all_until_chosen(board):
    by_name = {variable["name"]: variable for variable in board["templating"]["list"]}
    for name in ("cluster", "namespace", "service", "host"):
        assert by_name[name]["includeAll"]
        assert by_name[name]["multi"]
        assert by_name[name]["current"]["value"] == ["$__all"]


def test_a_variable_depends_on_earlier_ones_only(board):
    earlier: set[str] = set()
    for variable in board["templating"]["list"]:
        used = set(re.findall(r"\$\{?(\w+)", json.dumps(variable.get("query", "")) + str(variable.get("datasource"))))
        assert used - {"__all"} <= earlier
        earlier.add(variable["name"])


def test_every_data_source_is_the_variable(board):
    def sources(value):
        if isinstance(value, dict):
            found = [value["datasource"]] if "datasource" in value else []
            return found + [source for child in value.values() for source in sources(child)]
        return [source for child in value for source in sources(child)] if isinstance(value, list) else []

    assert {source["uid"] for source in sources(board)} == {"${datasource}"}


def test_panels_do_not_overlap_and_stay_on_the_grid(board):
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


def test_lines_of_panels_fill_the_grid(board):
    widths: dict[int, int] = {}
    for panel in board["panels"]:
        widths[panel["gridPos"]["y"]] = widths.get(panel["gridPos"]["y"], 0) + panel["gridPos"]["w"]
    assert set(widths.values()) == {24}


def test_panel_ids_are_distinct(board):
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)


def alerts_with_boards():
    rules = [
        rule
        for path in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]
    return [rule for rule in rules if "dashboard_url" in rule.get("annotations", {})]


@pytest.mark.parametrize(
    "alert",
    # Numbered, since an alert can have several rules: by severity, by promise.
    [pytest.param(alert, id=f"{number}-{alert['alert']}") for number, alert in enumerate(alerts_with_boards())],
)
def test_an_alert_links_to_a_board_with_variables_that_it_has(alert):
    url = urlsplit(alert["annotations"]["dashboard_url"])
    uid = url.path.split("/")[2]
    assert url.path == f"/d/{uid}/{uid}"
    assert uid in {board.uid for board in BOARDS}
    assert {key.removeprefix("var-") for key in parse_qs(url.query)} <= {"cluster", "namespace", "service", "host"}
