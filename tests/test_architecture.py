"""Which module may import which, what is never used, and which files ship.

The sources are read as syntax trees, so a rule holds for code that no test runs too.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import cast

import pytest

from tests.paths import ROOT

FILES = sorted(
    [ROOT / "app.py", *(ROOT / "trainer").rglob("*.py"), *(ROOT / "playground").rglob("*.py")]
)

# A library, and the only places that may import it.
IMPORTERS = {
    "gradio": ("app.py", "playground/server/"),
    "datasets": ("trainer/corpus/read/hub.py",),
    "deepspeed": ("trainer/distributed/",),
    "huggingface_hub": (
        "trainer/corpus/read/hub.py",
        "playground/publish/",
        "playground/folder/hub.py",
    ),
    "peft": ("playground/folder/adapter.py",),
    "accelerate": ("trainer/distributed/",),
    "spaces": ("app.py", "playground/server/"),
    "trainer": ("trainer/",),
    "playground": ("app.py", "playground/"),
}
WITH_PYTORCH = [  # these are imported for a GPU, and for models of other shapes
    f"playground/{name}.py"
    for name in (
        "inside/transformers_pass",
        "model/cuda_decoder",
        "model/cuda_graph",
        "model/cuda_layers",
        "model/transformers_decoder",
    )
]
# A folder (or top-level module) and those that it may import from, besides itself and below.
DIRECTIONS = {
    "trainer": (
        "output",
        "settings",
        "storage metrics",
        "corpus",
        "optim model",
        "distributed",
        "evaluate",
        "export",
        "run",
        "train",
    ),
    "trainer/corpus": ("tokenizer", "read", "store"),
    "playground": (
        "sentences command_line page_html",
        "sampling",
        "core",
        "folder",
        "model",
        "stories settings_table",
        "trace",
        "engine",
        "inside",
        "server generate",
        "browser",
        "publish runs",
    ),
}
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@cache
def nodes(file: Path) -> tuple[ast.AST, ...]:
    """Every node of a file's syntax tree; the first is its module."""
    return tuple(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


@cache
def imports(file: Path) -> tuple[str, ...]:
    """Every module that a file imports, at its head or inside a function."""
    modules: list[str] = []
    for node in nodes(file):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            module = node.module or ""
            modules.append(module)
            if "." not in module:  # from trainer import config
                modules += [f"{module}.{alias.name}" for alias in node.names]
    return tuple(modules)


@pytest.mark.parametrize("library", IMPORTERS)
def test_a_library_is_imported_in_its_places_only(library: str) -> None:
    elsewhere = [
        name_of(file)
        for file in FILES
        if any(module.split(".")[0] == library for module in imports(file))
        and not name_of(file).startswith(IMPORTERS[library])
    ]
    assert elsewhere == []


@pytest.mark.parametrize("package", DIRECTIONS)
def test_imports_go_one_way(package: str) -> None:
    """Command-line modules (`__main__`) and the corpus's own may parse settings."""
    level = {part: height for height, row in enumerate(DIRECTIONS[package]) for part in row.split()}
    prefix = package.replace("/", ".") + "."
    upward = []
    for file in sorted((ROOT / package).rglob("*.py")):
        name = file.relative_to(ROOT / package).with_suffix("").parts[0]
        if name == "__init__" or file.stem == "__main__":
            continue
        for module in imports(file):
            if not module.startswith(prefix):
                continue
            part = module.removeprefix(prefix).split(".")[0]
            assert part in level, f"{module} has no place in DIRECTIONS"
            if level[part] > level[name]:
                upward.append(f"{name_of(file)} imports {module}")
    assert upward == []


def is_unsafe(node: ast.AST) -> bool:
    """Whether a part of the syntax tree unpickles data or runs code that it was given."""
    if isinstance(node, ast.Attribute):
        return ast.unparse(node) in ("torch.load", "torch.hub", "os.system")
    if isinstance(node, ast.keyword):
        risky = node.arg in ("trust_remote_code", "allow_pickle", "shell")
        return risky and ast.unparse(node.value) != "False"
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return is_call and node.func.id in ("eval", "exec")


def test_nothing_is_unpickled_and_no_foreign_code_runs() -> None:
    unsafe = []
    for file in FILES:
        if PICKLES & {module.split(".")[0] for module in imports(file)}:
            unsafe.append(f"{name_of(file)} imports a pickle library")
        for node in nodes(file):
            if is_unsafe(node):
                unsafe.append(f"{name_of(file)}: {ast.unparse(node)}")
    assert unsafe == []


def test_a_file_has_a_docstring_and_is_named_after_a_concept() -> None:
    modules = {file: cast(ast.Module, nodes(file)[0]) for file in FILES}
    assert [name_of(file) for file, tree in modules.items() if not ast.get_docstring(tree)] == []
    vague = ("utils", "helpers", "manager")
    assert [name_of(file) for file in FILES if file.stem in vague] == []


LOOPS = "trainer.run.run", "trainer.evaluate.command", "playground.engine.engine"


@pytest.mark.process
def test_the_loops_run_without_datasets_deepspeed_and_gradio() -> None:
    """Hides the three from a fresh interpreter, as if they were not installed."""
    imported_without(["datasets", "deepspeed", "gradio"], [*LOOPS, "playground.generate"])


@pytest.mark.process
def test_the_playground_runs_with_what_a_space_installs() -> None:
    """requirements.txt, Gradio and what these bring: nothing of the trainer's."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no reader of TOML")
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    names = {re.split(r"[<>=!~\[; ]", line)[0] for line in extras["train"] + extras["dev"]}
    brought = {"filelock", "psutil", "pyyaml", "tqdm"}  # by Gradio
    hidden = sorted((names | {"trainer", "pyarrow"}) - brought)
    files = [*(ROOT / "playground").rglob("*.py"), ROOT / "app.py"]
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in files
        if file.stem != "__main__" and name_of(file) not in WITH_PYTORCH
    ]
    imported_without([name.replace("-", "_") for name in hidden], modules)


def test_each_program_has_one_class_of_argument_parsers() -> None:
    users = [
        name_of(file)
        for file in FILES
        for node in nodes(file)
        if isinstance(node, ast.Attribute | ast.Name)
        and ast.unparse(node).endswith("ArgumentParser")
    ]
    assert users == ["playground/command_line.py", "trainer/output/console.py"]


COMMANDS = {
    "trainer.train": ["--optim.lr", "fast"],
    "trainer.evaluate": ["models/storyteller"],
    "trainer.export": ["gguf"],
    "trainer.corpus": ["verify", "nowhere"],
    "playground.browser": [],
    "playground.publish": ["model"],
    "playground.generate": [],
    "playground.trace": [],
    "playground.inside": [],
    "app": ["--port", "x"],
}


@pytest.mark.process
@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_a_slip_do_not_wait_for_pytorch(command: str) -> None:
    """Importing PyTorch and transformers takes four to ten seconds."""
    for arguments, code in ((["--help"], 0), (COMMANDS[command], 2)):
        run = (
            "import runpy, sys\n"
            "sys.modules['torch'] = None\n"
            f"sys.argv = {[command, *arguments]}\n"
            f"runpy.run_module({command!r}, run_name='__main__', alter_sys=True)\n"
        )
        done = subprocess.run([sys.executable, "-c", run], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        assert ("usage: " in done.stdout or "[--preset" in done.stdout) == (code == 0)
        assert done.stderr.startswith("error: ") == (code == 2)


def imported_without(hidden: list[str], modules: list[str]) -> None:
    """All modules are imported by a fresh interpreter that lacks some packages."""
    code = (
        f"import sys, importlib\nfor name in {hidden}: sys.modules[name] = None\n"
        f"for name in {modules}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_space_installs_ranges_and_nothing_of_the_trainer() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = {re.split(r"[<>=!~\[; ]", line)[0] for line in lines if line and line[0] != "#"}
    assert {"tokenizers", "safetensors", "numpy"} <= wanted
    excluded = {"gradio", "spaces", "huggingface_hub", "accelerate", "datasets", "deepspeed"}
    excluded |= {"torch", "transformers"}
    assert not excluded & wanted
    assert not any("==" in line for line in lines if line[:1] != "#")


def test_every_direct_requirement_has_a_tested_version() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no reader of TOML")
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    direct = [line for line in lines if line and line[0] != "#"] + sum(extras.values(), [])
    pinned = {
        line.split("==")[0].replace("_", "-").lower()
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    names = {re.split(r"[<>=!~\[; ]", line)[0].replace("_", "-").lower() for line in direct}
    assert names - pinned == set()


def test_deepspeed_settings_leave_every_size_to_the_run() -> None:
    settings = json.loads((ROOT / "ds_config.json").read_text(encoding="utf-8"))
    assert settings["zero_optimization"]["stage"] == 2
    sizes = (
        "train_batch_size",
        "train_micro_batch_size_per_gpu",
        "gradient_accumulation_steps",
        "gradient_clipping",
    )
    assert all(settings[size] == "auto" for size in sizes)
    assert "optimizer" not in settings  # it would want nvcc
    assert "scheduler" not in settings  # the learning rate is a function of the step


@pytest.mark.parametrize("name", ["pocket", "seed", "smoke", "storyteller"])
def test_the_presets_ship(name: str) -> None:
    from trainer.settings.command_line import parse

    assert (ROOT / "trainer" / "presets" / f"{name}.yaml").is_file()
    assert parse(["--preset", name]).preset == name


def test_the_tokenizer_ships() -> None:
    folder = ROOT / "trainer" / "corpus" / "tokenizer" / "gpt2"
    assert {"tokenizer.json", "tokenizer_config.json"} <= {file.name for file in folder.iterdir()}


def test_the_top_level_is_complete() -> None:
    names = {"README.md", "CHANGELOG.md", "LICENSE", "Makefile", "app.py", "docs", "models"}
    names |= {"benchmarks", ".ci", ".gitignore", ".pre-commit-config.yaml", "constraints.txt"}
    assert names - {path.name for path in ROOT.iterdir()} == set()


def test_only_the_pages_of_app_and_static_site_know_the_writer() -> None:
    """The parts of the page receive what they need, and not the element that assembles them."""
    web = ROOT / "playground" / "web"
    scripts = [path for path in web.rglob("*.js") if "vendor" not in path.parts]
    importers = {path.name for path in scripts if "editor/writer.js" in path.read_text("utf-8")}
    assert importers == {"start_server.js", "start_static.js"}
    assert not [path.name for path in scripts if "this.writer" in path.read_text("utf-8")]
