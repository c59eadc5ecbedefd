"""The Dockerfiles: built in stages, no root, one base, every copied file there, nothing to build with left inside."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = ("compose/Dockerfile", "exporters/Dockerfile", "inference/Dockerfile")
every = pytest.mark.parametrize("file", FILES)


def instructions(file: str) -> list[str]:
    """Lines as Docker reads them: continued ones joined, comments gone."""
    lines = [line for line in (ROOT / file).read_text().splitlines() if not line.lstrip().startswith("#")]
    return [re.sub(r"\s+", " ", line).strip() for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line]


def stages(file: str) -> list[list[str]]:
    found: list[list[str]] = []
    for line in instructions(file):
        if line.startswith("FROM "):
            found.append([])
        if found:
            found[-1].append(line)
    return found


@every
def test_the_base_is_one_version_and_the_same_everywhere(file: str) -> None:
    base = "ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm"
    assert instructions(file)[0] == base
    own = {line.rpartition(" AS ")[2] for line in instructions(file) if " AS " in line}
    assert {line.split()[1] for line in instructions(file) if line.startswith("FROM ")} - own == {"${PYTHON_IMAGE}"}
    assert base.partition("=")[2] in (ROOT / "compose" / "compose.yaml").read_text()


@every
def test_what_runs_holds_no_tools_to_build_with_and_no_root(file: str) -> None:
    names = {line.rpartition(" AS ")[2]: stage for stage in stages(file) for line in stage[:1]}
    final = [stage for stage in stages(file) if any(line.startswith(("CMD", "ENTRYPOINT")) for line in stage)]
    assert final
    for stage in final:
        inherited = names.get(stage[0].split()[1], [])
        lines = [*inherited, *stage]
        assert [line for line in lines if line.startswith("USER ")][-1] == "USER 10001:10001"
        installs = [line for line in lines if line.startswith("RUN") and re.search(r"\b(pip|apt-get|gcc|make)\b", line)]
        assert installs == []
        labels = " ".join(line for line in lines if line.startswith("LABEL"))
        assert "org.opencontainers.image.licenses" in labels
        assert "org.opencontainers.image.revision" in labels


def test_an_image_with_one_task_says_by_itself_whether_it_is_well() -> None:
    checks = [line for file in FILES for line in instructions(file) if line.startswith("HEALTHCHECK")]
    ports = [re.findall(r"127\.0\.0\.1:(\d+)", line)[0] for line in checks]
    assert sorted(ports) == ["8000", "9836", "9837"]


@every
def test_what_is_copied_exists_and_reaches_the_builder(file: str) -> None:
    sources = [source for line in instructions(file) if line.startswith("COPY ") for source in _sources(line)]
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert sources
    for source in sources:
        assert list(ROOT.glob(source.rstrip("/"))), source
        assert source.split("/")[0] in let_in, source


def _sources(line: str) -> list[str]:
    return [] if "--from=" in line else line.split()[1:-1]


@pytest.mark.parametrize(
    ("file", "programs"),
    [
        ("compose/Dockerfile", ("compose.setup", "alertmanager.inbox", "alertmanager.deadman")),
        ("exporters/Dockerfile", ("exporters.gpu", "exporters.probe")),
        ("inference/Dockerfile", ("inference", "inference.load")),
    ],
)
def test_what_is_copied_is_all_that_its_programs_import(file: str, programs: tuple[str, ...], tmp_path: Path) -> None:
    for line in instructions(file):
        for source in _sources(line) if line.startswith("COPY ") and "/app/" in line else ():
            for found in ROOT.glob(source):
                target = tmp_path / line.split()[-1].removeprefix("/app/")
                if found.is_dir():
                    shutil.copytree(found, target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    target.mkdir(parents=True, exist_ok=True)
                    shutil.copy(found, target)
    commands = [("-m", program, "--help") for program in programs]
    if file.startswith("compose"):
        commands.append(("-c", "import compose.verify"))
    for command in commands:
        environment = {"PYTHONPATH": str(tmp_path)}
        ran = subprocess.run([sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr


@every
def test_nothing_ties_an_image_to_one_kind_of_processor(file: str) -> None:
    assert re.search(r"amd64|x86_64|arm64|aarch64", (ROOT / file).read_text()) is None


def test_torch_comes_without_cuda_unless_told() -> None:
    default = "https://download.pytorch.org/whl/cpu"
    assert f"ARG TORCH_INDEX_URL={default}" in instructions("inference/Dockerfile")
    arguments = yaml.safe_load((ROOT / "compose" / "compose.yaml").read_text())["services"]["inference"]["build"][
        "args"
    ]
    assert arguments["TORCH_INDEX_URL"] == f"${{TORCH_INDEX_URL:-{default}}}"


def test_a_build_never_sees_what_is_secret_or_the_users() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored.index("*") < ignored.index("!compose")
    assert {"compose/secrets", "compose/targets", "compose/models", "compose/.env"} <= set(ignored)
    assert ignored.index("compose/secrets") > ignored.index("!compose")


@pytest.mark.parametrize(("workflow", "job"), [("containers", "images"), ("release", "images")])
def test_every_image_of_ours_is_built_and_published(workflow: str, job: str) -> None:
    services = yaml.safe_load((ROOT / "compose" / "compose.yaml").read_text())["services"].values()
    built = {
        (one["image"].partition("/")[2].partition(":")[0], one["build"]["dockerfile"], one["build"].get("target", ""))
        for one in services
        if "build" in one
    }
    document = yaml.safe_load((ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text())
    matrix = document["jobs"][job]["strategy"]["matrix"]["include"]
    assert {(one["name"], one["file"], one["target"]) for one in matrix} == built
