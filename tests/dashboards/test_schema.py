"""The committed boards against Grafana's own TypeScript types, by the TypeScript compiler.

Both come from the npm registry, once, into the user's cache. Where that cannot be, the run ends with a line about it
(conftest.py): it is not silently left out.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.boards import BOARDS, panels_of

PACKAGES = ("@grafana/schema@13.2.0", "typescript@5.9.3")
"""The types of the Grafana that compose runs, and a compiler."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inferwatch" / "grafana-schema-13.2.0"
KINDS = {"timeseries": True, "state-timeline": True, "stat": False, "table": True, "text": False}
"""Kinds of panels, and whether they have settings of their own for each field."""

TYPES = """\
import type { AnnotationQuery, Dashboard, FieldConfigSource, Panel, RowPanel, VariableModel } from '@grafana/schema';
%s
// JSON holds an enum's value where TypeScript wants its name: the same types with values in place of names.
type Plain<T> = T extends string ? (string extends T ? string : `${T}`)
  : T extends number ? (number extends T ? number : `${T}` extends `${infer N extends number}` ? N : T)
  : T extends boolean | null | undefined ? T
  : unknown extends T ? unknown
  : T extends readonly (infer E)[] ? Plain<E>[]
  : { [K in keyof T]: Plain<T[K]> };
type Own<O, F> = { options: O; fieldConfig: FieldConfigSource<Partial<F>> };
type Made<O, F> = Plain<Omit<Panel, 'options' | 'fieldConfig'> & Own<O, F>>;
type Text<O> = Plain<Omit<Panel, 'options'> & { options: O }>;
// What data sources read of annotations and variables is in no type of the package, nor are the settings of intervals
// that the SDK writes for every kind of variable.
type Words = { expr?: string; titleFormat?: string; textFormat?: string };
type Tagged = { type: 'tags'; tags: string[]; matchAny: boolean; limit: number };
type Mark = Omit<AnnotationQuery, 'target'> & Words & { target?: Tagged };
type Variable = VariableModel & { definition?: string; auto?: boolean; auto_min?: string; auto_count?: number };
type Extended = { annotations: { list: Mark[] }; templating: { list: Variable[] } };
type Board = Plain<Omit<Dashboard, 'panels' | 'annotations' | 'templating'> & Extended>;
// The SDK still writes the footer, which this Grafana has made a setting of each field.
type Footed<O> = O & { footer?: { show: boolean; reducer?: string[]; countRows?: boolean } };
type Row = Plain<RowPanel>;
"""


@pytest.fixture(scope="session")
def schema() -> Path:
    """A folder with the compiler and the types."""
    if (CACHE / "node_modules/.bin/tsc").exists():
        return CACHE
    if not shutil.which("npm"):
        pytest.skip("NOT CHECKED against Grafana's types: npm is missing (install nodejs and npm)")
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", *PACKAGES]
    try:
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("NOT CHECKED against Grafana's types: the npm registry did not answer within two minutes")
    if done.returncode:
        pytest.skip(f"NOT CHECKED against Grafana's types: npm install failed: {done.stderr.strip()[-200:]}")
    return CACHE


def compiler_says(schema: Path, folder: Path, boards: dict[str, dict[str, object]]) -> str:
    """What the compiler complains about; empty where all is well."""
    (folder / "node_modules").symlink_to(schema / "node_modules")
    imports = []
    for kind, fields in KINDS.items():
        names = f"Options as {name(kind)}Options" + (f", FieldConfig as {name(kind)}Field" if fields else "")
        imports.append(f"import type {{ {names} }} from './types/{kind.replace('-', '')}';")
    # The package does not export these by name; its files hold them.
    (folder / "types").mkdir()
    raw = "../node_modules/@grafana/schema/dist/types/raw/composable"
    for kind in KINDS:
        plain = kind.replace("-", "")
        (folder / "types" / f"{plain}.ts").write_text(f"export * from '{raw}/{plain}/panelcfg/x/types.gen';\n")
    lines = [TYPES % "\n".join(imports)]
    for uid, board in boards.items():
        safe = uid.replace("-", "_")
        whole = {key: value for key, value in board.items() if key != "panels"}
        lines.append(f"export const {safe}: Board = {json.dumps(whole)};")
        for panel in panels_of(board):
            kind = name(panel["type"])
            options = f"Footed<{kind}Options>" if kind == "Table" else f"{kind}Options"
            field = f"{kind}Field" if KINDS[panel["type"]] else "Record<string, unknown>"
            lines.append(f"export const {safe}_{panel['id']}: Made<{options}, {field}> = {json.dumps(panel)};")
        texts = [panel for panel in board["panels"] if panel["type"] == "text"]
        lines.append(f"export const {safe}_texts: Text<TextOptions>[] = {json.dumps(texts)};")
        rows = [panel for panel in board["panels"] if panel["type"] == "row"]
        lines.append(f"export const {safe}_rows: Row[] = {json.dumps(rows)};")
    (folder / "boards.ts").write_text("\n".join(lines))
    strict = ["--strict", "--noEmit", "--skipLibCheck", "--target", "es2022", "--module", "preserve"]
    done = subprocess.run(
        ["node", schema / "node_modules/typescript/bin/tsc", *strict, "boards.ts"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


def name(kind: str) -> str:
    return kind.replace("-", "").capitalize()


def test_boards_are_of_grafanas_own_types(schema, tmp_path):
    assert compiler_says(schema, tmp_path, BOARDS) == ""


def test_what_is_not_of_these_types_is_found(schema, tmp_path):
    wrong = json.loads(json.dumps(BOARDS["fleet"]))
    wrong["refrsh"] = "10s"
    [panel] = [one for one in panels_of(wrong) if one["title"] == "Requests"]
    panel["fieldConfig"]["defaults"]["custom"]["drawStyle"] = "scribble"
    panel["options"]["legend"]["placement"] = "left"
    wrong["panels"][0]["options"]["mode"] = "prose"
    said = compiler_says(schema, tmp_path, {"fleet": wrong})

    assert "'\"refrsh\"' does not exist" in said
    assert '"scribble"' in said
    assert '"left"' in said
    assert '"prose"' in said
