"""The promtool cases are sharp: each small error put into an alert breaks at least one of them (make test-long).

A mutant is one alert, or one root's condition, with one change: a comparison flipped, a threshold times 1.2 (of a
count: the next one), half the `for`, or a label matcher dropped. What would change nothing is not made: a threshold of
0, a `for` of one evaluation.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "alerts/generated"
CASES = ROOT / "tests/alerts"
FLIPPED = {"==": "!=", "!=": "==", "<=": ">", ">=": "<", "<": ">=", ">": "<="}
# A comparison stands between spaces; a matcher's operator does not.
COMPARISON = re.compile(r"(?<= )(==|!=|<=|>=|<|>)(?: bool)? (?=(-?[0-9.e+]+)?)")
SELECTOR = re.compile(r"\{([^{}]*)\}")
COUNTS = ("llm:restarts:10m",)
"""Of whole numbers: no case can tell a threshold of 2.4 from 2."""
EVALUATION_SECONDS = 5


def seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


def mutants_of(expr: str) -> Iterator[tuple[str, str]]:
    for found in COMPARISON.finditer(expr):
        yield f"{found[1]} flipped", f"{expr[: found.start(1)]}{FLIPPED[found[1]]}{expr[found.end(1) :]}"
        if found[2] and float(found[2]) not in (0, 1, -1, 15):  # 0 stays 0; states and codes are no thresholds
            end = found.end() + len(found[2])
            limit = float(found[2])
            larger = limit + 1 if expr[: found.start()].endswith(tuple(f"{name} " for name in COUNTS)) else limit * 1.2
            yield f"threshold {found[2]} to {larger:g}", f"{expr[: found.end()]}{larger:g}{expr[end:]}"
    for found in SELECTOR.finditer(expr):
        matchers = re.findall(r'[a-z_]+(?:=~|!~|!=|=)"[^"]*"', found[1])
        for matcher in matchers:
            rest = ", ".join(other for other in matchers if other != matcher)
            yield f"without {matcher[:30]}", f"{expr[: found.start()]}{{{rest}}}{expr[found.end() :]}"


def mutants() -> Iterator[object]:
    for path in sorted(GENERATED.glob("*.yml")):
        rules = yaml.safe_load(path.read_text())["groups"][0]["rules"]
        pages = {rule["alert"] for rule in rules if rule.get("labels", {}).get("severity") == "page"}
        for index, rule in enumerate(rules):
            labels = rule.get("labels", {})
            # The ticket beside a page is made from it by one function, and never fires while all replicas are needed;
            # test_redundancy proves it. Twins are proven by their own cases and arithmetic.
            spare = labels.get("severity") == "ticket" and rule["alert"] in pages
            if not {"severity", "root"} & set(labels) or labels.get("class") == "inhibitor" or spare:
                continue
            # Of the rules of one alert, one for each promise and made by one function, the first stands for all.
            again = [labels] == [one["labels"] for one in rules[:index] if one.get("alert") == rule.get("alert", "")][
                :1
            ]
            if rule["expr"] == "vector(1)" or again:
                continue
            name = rule["alert"] if "alert" in rule else f"root-{labels['root']}"
            changes = [(what, {"expr": text}) for what, text in mutants_of(rule["expr"])]
            if seconds(rule.get("for", "0s")) > EVALUATION_SECONDS:
                changes.append(("half the for", {"for": f"{seconds(rule['for']) // 2}s"}))
            for number, (what, change) in enumerate(changes):
                yield pytest.param(path.name, index, change, id=f"{name}-{index}-{number}-{what}")


@pytest.mark.long
@pytest.mark.parametrize(("file", "index", "change"), list(mutants()))
def test_a_case_notices_the_mutant(file, index, change, tool, tmp_path):
    shutil.copytree(GENERATED, tmp_path / "alerts/generated")
    shutil.copytree(CASES, tmp_path / "tests/alerts", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    path = tmp_path / "alerts/generated" / file
    document = yaml.safe_load(path.read_text())
    document["groups"][0]["rules"][index] |= change
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    cases = [
        case for case in sorted((tmp_path / "tests/alerts").glob("*.yml")) if f"generated/{file}" in case.read_text()
    ]
    assert cases
    # Its own cases first: they notice nearly every mutant.
    cases.sort(key=lambda case: case.stem != path.stem)
    for case in cases:
        done = subprocess.run([tool("promtool"), "test", "rules", case], capture_output=True, text=True, timeout=120)
        if done.returncode:
            return
    pytest.fail(f"{change} survives {[case.name for case in cases]}")
