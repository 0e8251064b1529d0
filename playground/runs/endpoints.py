"""JSON endpoints of the pages Train and Models, under /studio/, and the frames of both pages.

The app has them only when it listens to this computer alone. They require the owner's key
(server/owner.py), which also refuses requests through a proxy or from another site's page.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from playground.engine.engine import Engine
from playground.page_html import WEB
from playground.runs import exports, folder, trainer_commands
from playground.runs.errors import Refused
from playground.runs.folder import RunsFolder
from playground.runs.metrics import curve
from playground.runs.models import OpenModels, write_with
from playground.runs.stories import StorySets
from playground.runs.tasks import Task, Tasks
from playground.runs.training import Training, command_text, words_of
from playground.runs.views import details, listing
from playground.server.owner import Owner
from playground.server.owner_calls import NO_STORE, Endpoint, route

HEADER = "x-inkling-studio"
PAGES = ("train", "models")  # whose scripts are in web/train/ and web/models/
MIN_POINTS, DEFAULT_POINTS, MAX_POINTS = 20, 400, 2000  # of a curve
Asked = dict[str, Any]  # the JSON object of a request


class Studio:
    """The endpoints for the runs of one folder. Their methods return JSON values or a Response."""

    def __init__(
        self,
        runs: Path,
        owner: Owner,
        engines: MutableMapping[str, Engine],
        start: dict[str, Any],
        device: str = "auto",
    ) -> None:
        """`runs`: the folder of runs; `engines` and `start`: the page's models (server/write.py),
        to which opened models of runs are added."""
        self.owner = owner
        self.runs = RunsFolder(runs)
        self.training = Training(self.runs)
        self.sets = StorySets(self.runs.folder.parent / "stories")
        self.models = OpenModels(engines, start, device)
        self.tasks = Tasks()

    def close(self) -> None:
        """End tasks and close models. Runs continue without the app."""
        self.tasks.close()
        self.models.close_all()

    @property
    def routes(self) -> list[Route]:
        """Return the routes of Studio."""
        run, sets, read, write = "/studio/runs/{name}", "/studio/stories/{set}", "GET", "POST"
        rows: list[tuple[str, str, Endpoint]] = [
            (read, "/studio/runs", self.list_runs),
            (write, "/studio/runs", self.start),
            (read, run, self.show),
            (read, f"{run}/curve", self.curve),
            (read, f"{run}/files/{{file}}", self.file),
            (write, f"{run}/delete", self.delete),
            (write, f"{run}/write", self.write),
            (write, f"{run}/export", self.export),
            (write, f"{run}/evaluate", self.evaluate),
            (write, f"{run}/{{action}}", self.act),
            (read, "/studio/models", self.list_models),
            (read, "/studio/settings", self.settings),
            (write, "/studio/command", self.command),
            (write, "/studio/inspect", self.inspect),
            (write, "/studio/estimate", self.estimate),
            (read, "/studio/tasks", self.list_tasks),
            (read, "/studio/tasks/{id}", self.task),
            (write, "/studio/tasks/{id}/cancel", self.cancel),
            (read, "/studio/stories", self.stories),
            ("PUT", f"{sets}/{{file}}", self.receive),
            (write, f"{sets}/delete", self.delete_stories),
        ]
        pages = [
            Route(f"/{name}", self.owner.file(WEB / name / "page.html"), methods=["GET"])
            for name in PAGES
        ]
        return [*pages, *(route(self.owner, HEADER, *row) for row in rows)]

    # Runs

    def list_runs(self, _: Asked) -> Any:
        """List all runs."""
        return listing(self.runs)

    def show(self, _: Asked, name: str) -> Any:
        """Return the details of a run, with its task."""
        task = self.tasks.of_run(name)
        return details(self.runs.run(name)) | {"task": task.to_json() if task else None}

    def curve(self, asked: Asked, name: str) -> Any:
        """Return the loss curve of a run."""
        run, text = self.runs.run(name), asked.get("points", "")
        points = int(text) if text.isascii() and text.isdigit() else DEFAULT_POINTS
        points = min(max(points, MIN_POINTS), MAX_POINTS)
        per_step = folder.read_json(run / folder.STATE).get("tokens_per_step")
        per_step = per_step if isinstance(per_step, int) else None
        return curve(run / folder.METRICS, points, per_step)

    def start(self, asked: Asked) -> Any:
        """Start a run."""
        name, anyway = asked.get("name"), asked.get("anyway") is True
        self.training.free_path(name, anyway=anyway)
        run = self.training.start(name, self.words(asked), anyway=anyway)
        return JSONResponse({"run": self.show({}, run.name)}, 201, NO_STORE)

    def words(self, asked: Asked) -> list[str]:
        """Return the checked settings of a request as command-line words; each set of stories is
        replaced by its folder."""
        settings = asked.get("settings", {})
        if isinstance(settings, dict):
            sources = ("corpus.source", "corpus.validation")
            settings = {
                key: self.sets.source(value) if key in sources else value
                for key, value in settings.items()
            }
        words = words_of(asked.get("preset", ""), settings)
        trainer_commands.check(words)
        return words

    def act(self, asked: Asked, name: str, action: str) -> Any:
        """Pause, stop, resume a run, or start it over."""
        if action in ("pause", "stop"):
            self.training.request_end(name, action)
        elif action == "resume":
            self.training.resume(name)
        elif action == "restart":
            if asked.get("name") != name:
                raise Refused(f"type the run's name, {name}, to start it over.")
            self.training.resume(name, fresh=True)
            self.models.forget(name)
        else:
            raise Refused(f"{action[:20]!r} is not an action: use pause, stop, resume or restart.")
        return {"run": self.show({}, name)}

    def delete(self, asked: Asked, name: str) -> Any:
        """Delete a run."""
        self.training.delete(name, asked.get("name"))
        self.models.forget(name)
        return {}

    def command(self, asked: Asked) -> Any:
        """Return the command that would start a run with these settings."""
        words = self.words(asked)
        return {"command": command_text(words, self.runs.path(asked.get("name")))}

    def list_models(self, _: Asked) -> Any:
        """List the models that a run can start from: those of the page and those of runs."""
        of_runs = [
            {
                "name": run["name"],
                "folder": str(self.runs.path(run["name"])),
                "parameters": run["parameters"],
                "open": False,
                "run": run["name"],
            }
            for run in listing(self.runs)["runs"]
            if run["model_step"] is not None
        ]
        return {"models": [*self.models.of_the_page(), *of_runs]}

    # Tasks, which take longer than a request

    def write(self, _: Asked, name: str) -> Any:
        """Start opening a run's newest model on the page Write."""
        run = self.runs.run(name)
        return self.begin("write", lambda task: write_with(self.models, run, task), name)

    def export(self, asked: Asked, name: str) -> Any:
        """Start exporting a run's newest model to a file."""
        run = self.runs.run(name)
        form, kind = exports.checked_form(asked.get("form"), asked.get("type", "f16"))
        return self.begin("export", lambda task: exports.export(run, form, kind, task), name)

    def file(self, _: Asked, name: str, file: str) -> Any:
        """Download an exported file."""
        path = exports.file(self.runs.run(name), file)
        return FileResponse(path, filename=path.name, headers=NO_STORE)

    def evaluate(self, asked: Asked, name: str) -> Any:
        """Start evaluating a run's newest model."""
        run, source = self.runs.run(name), self.sets.source(str(asked.get("source") or ""))
        return self.begin("evaluate", lambda task: exports.evaluate(run, source, task), name)

    def inspect(self, asked: Asked) -> Any:
        """Start inspecting how stories are read."""
        source = self.sets.source(str(asked.get("source") or ""))
        words = words_of("", asked.get("settings") or {})
        return self.begin("inspect", lambda task: trainer_commands.inspect(source, words, task))

    def estimate(self, asked: Asked) -> Any:
        """Start estimating how long a run would take on this machine."""
        words = self.words(asked)
        return self.begin("estimate", lambda task: trainer_commands.estimate(words, task))

    def begin(self, kind: str, work: Callable[[Task], dict[str, Any]], run: str = "") -> Response:
        """Start a task and return it."""
        return JSONResponse({"task": self.tasks.start(kind, work, run).to_json()}, 202, NO_STORE)

    def list_tasks(self, _: Asked) -> Any:
        """List all tasks, the newest first."""
        tasks = list(self.tasks.tasks.values())
        return {"tasks": [task.to_json() for task in reversed(tasks)]}

    def task(self, _: Asked, id: str) -> Any:
        """Return one task."""
        return {"task": self.tasks.get(id).to_json()}

    def cancel(self, _: Asked, id: str) -> Any:
        """Cancel a task."""
        task = self.tasks.get(id)
        task.cancel()
        return {"task": task.to_json()}

    def settings(self, _: Asked) -> Any:
        """Return all settings of the trainer, with its presets."""
        return trainer_commands.settings()

    # Stories

    def stories(self, _: Asked) -> Any:
        """List the sets of stories that were uploaded."""
        return {"sets": self.sets.all(), "limit_bytes": self.sets.limit}

    async def receive(self, request: Request) -> Any:
        """Receive a file of a set."""
        name, file = request.path_params["set"], request.path_params["file"]
        content = await self.sets.write(name, file, request.stream())
        return JSONResponse({"set": content}, 201, NO_STORE)

    def delete_stories(self, asked: Asked, set: str) -> Any:
        """Delete a set of stories."""
        self.sets.delete(set, asked.get("name"))
        return {}
