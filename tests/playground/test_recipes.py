"""The recipes of docs/extending.md for the playground, followed in a copy of the tree.

A sampling setting chooses in Python and on the page, and links keep it; a form of a story is saved.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.recipes import follow

LEAST = 0.2
PYTHON = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from playground.browser.pack import pack
from playground.engine.engine import Engine
from playground.engine.replay import replay
from playground.folder.model_folder import ModelFolder
from playground.server.parameters import parameter
from playground.sampling import ROWS, Settings
from playground.stories.permalink import Permalink, Run

settings = Settings(temperature=1.5, top_k=0, length=40, seed=3, stop_at_end=False, epsilon=LEAST)
with Engine(ModelFolder.open(sys.argv[1], device="cpu")) as engine:
    stream = engine.write("Once upon a time", settings)
    story = stream.story if list(stream) else None
    tokens = [(i, -1) for i in story.prompt_ids] + [(one.token_id, 0) for one in story.tokens]
    fingerprint = engine.storyteller.fingerprint
    link = Permalink(fingerprint, "model", (Run(settings),), tuple(tokens), (), "0000")
    again = replay(engine, link)
    Path(sys.argv[2]).write_bytes(pack(engine.storyteller).content)
Path(sys.argv[3]).write_text(json.dumps({
    "link": asdict(link), "ids": [one.token_id for one in story.tokens], "verdict": again.verdict,
    "probabilities": [one.chosen_probability for one in story.tokens],
    "default": next(parameter(row).default for row in ROWS if row.name == "epsilon"),
}))
"""
READ = """
import sys
from playground.stories.permalink import decode
print(decode(sys.argv[1]).runs[0].settings.epsilon)
"""
NODE = """
import { json, openCore, web } from "./modules.js";
const common = json("playground/web/story/common_tokens.json");
const { decode } = await web("story/permalink");
const { SLIDERS, drawsFromAll, neutral } = await web("sampling/settings");
const [run] = decode(process.argv[2], common).runs;
const core = await openCore();
console.log(JSON.stringify({
  kept: run.settings.epsilon,
  slider: SLIDERS.find(({ name }) => name === "epsilon"), all: drawsFromAll(run.settings),
  odds: core.odds({ ...neutral, temperature: 1, epsilon: LEAST }, [3, 2, 0], [[-1, 10]]),
}));
"""
FORM = """
import { web } from "./modules.js";
const { KINDS, StoryFiles } = await web("share/files");
const { PANEL } = await web("share/share_panel");
const tokens = [{ t: 'One "day",', s: 1.5, i: 1, r: -1 }, { t: "\\nhe", s: 0.25, i: 2, r: 0 }];
const file = await new StoryFiles("https://example.org/", null).file("csv", { tokens });
console.log(JSON.stringify({
  kinds: KINDS, button: PANEL.includes('data-file="csv"'), type: file.type, text: await file.text(),
}));
"""
NODE_COMMAND = str(Path(sys.executable).with_name("node"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the playground, and of what its tests in Node import."""
    tree = tmp_path / "tree"
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "playground", tree / "playground", ignore=left_out)
    (tree / "tests" / "web").mkdir(parents=True)
    for name in ("links.js", "modules.js", "tell.js"):
        shutil.copy(ROOT / "tests" / "web" / name, tree / "tests" / "web")
    return tree


def run_in(tree: Path, *command: str, stdin: str = "") -> str:
    done = subprocess.run(
        command,
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        input=stdin,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.process
def test_a_form_of_a_story_is_a_file_and_a_row(tree: Path) -> None:
    share = "playground/web/share/"
    files = follow("A form in which a story is saved", tree)
    assert files == {f"{share}csv.js", f"{share}files.js"}
    (tree / "tests" / "web" / "check.js").write_text(FORM, encoding="utf-8")
    page = json.loads(run_in(tree, NODE_COMMAND, "tests/web/check.js"))
    assert page["kinds"][-1] == "csv" and page["button"]
    assert page["type"] == "text/csv;charset=utf-8"
    assert page["text"] == 'token,nats\r\n"One ""day"",",1.5\r\n"\nhe",0.25'
    # The page without a server gets the file too.
    script = "from playground.browser.build import *; print(*dict(read(Path('playground/web'))))"
    assert "share/csv.js" in run_in(tree, sys.executable, "-c", script).split()


@pytest.mark.process
@pytest.mark.slow
def test_a_sampling_setting_works_everywhere(tree: Path, tmp_path: Path) -> None:
    assert len(follow("A sampling setting", tree)) <= 4
    run = partial(run_in, tree)
    run(sys.executable, "-m", "playground.settings_table")
    run(
        sys.executable,
        "-c",
        "from playground.core.build import BUILT, LIBRARIES, WASM, build_library, build_wasm\n"
        "from playground.core.library import library_file\n"
        "build_wasm(BUILT / WASM)\n"
        "build_library(LIBRARIES[library_file().name], library_file())",
    )
    packed, answer = tmp_path / "model.inkling", tmp_path / "answer.json"
    model = str(ROOT / "models" / "storyteller")
    script = PYTHON.replace("LEAST", str(LEAST))
    run(sys.executable, "-c", script, model, str(packed), str(answer))
    python = json.loads(answer.read_text())
    assert len(python["ids"]) == 40
    assert min(python["probabilities"]) >= LEAST
    assert python["verdict"] == "Reproduced exactly."
    assert python["default"] == 0
    stories = json.dumps([python["link"]])
    (link,) = json.loads(run(NODE_COMMAND, "tests/web/links.js", stdin=stories))
    assert float(run(sys.executable, "-c", READ, link)) == LEAST
    assert "--epsilon" in run(sys.executable, "-m", "playground.generate", "--help")

    (tree / "tests" / "web" / "check.js").write_text(NODE.replace("LEAST", str(LEAST)))
    page = json.loads(run(NODE_COMMAND, "tests/web/check.js", link))
    assert page["kept"] == LEAST and not page["all"]
    assert page["slider"]["high"] == 0.5
    assert page["odds"]["odds"][2] == page["odds"]["rest"] == 0 < page["odds"]["odds"][1]
    settings = {"temperature": 1.5, "top_k": 0, "top_p": 1, "min_p": 0, "repetition_penalty": 1}
    settings |= {"length": 40, "stop_at_end": False, "banned_words": [], "epsilon": LEAST}
    request = {"ids": [], "text": "Once upon a time", "settings": settings, "seeds": [3]}
    calls = json.dumps({"calls": [["write", request]]})
    (static,) = json.loads(run(NODE_COMMAND, "tests/web/tell.js", str(packed), stdin=calls))
    assert static["streams"] == [python["ids"]]
