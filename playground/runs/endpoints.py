"""JSON endpoints of the pages Train and Models, under /studio/.

The app has them only when it listens to this computer alone. They require the owner's key
(server/owner.py), which also refuses requests through a proxy or from another site's page. Requests
that change something also need a header that no form and no other site can send (CSRF).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from playground.engine.engine import Engine
from playground.runs import exports, folder
from playground.runs.details import details
from playground.runs.errors import Refused
from playground.runs.folder import RunsFolder
from playground.runs.listing import listing
from playground.runs.metrics import Curves
from playground.runs.models import OpenModels, write_with
from playground.runs.stories import StorySets
from playground.runs.tasks import Task, Tasks
from playground.runs.trainer_commands import TrainerCommands
from playground.runs.training import Training, command_text, words_of
from playground.sentences import capitalized
from playground.server.owner import Handler, Owner

HEADER = "x-inkling-studio"
MIN_POINTS, DEFAULT_POINTS, MAX_POINTS = 20, 400, 2000  # of a curve
NO_STORE = {"cache-control": "no-store"}
Endpoint = Callable[[Request], Awaitable[Any]]


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
        self.tasks, self.curves, self.commands = Tasks(), Curves(), TrainerCommands(self.sets)

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
        return [
            Route(path, self.owner.only(json_handler(endpoint)), methods=[method])
            for method, path, endpoint in rows
        ]

    # Runs

    async def list_runs(self, _: Request) -> Any:
        """List all runs."""
        return await run_in_threadpool(listing, self.runs)

    async def show(self, request: Request) -> Any:
        """Return the details of a run."""
        return await self.details_of(request.path_params["name"])

    async def details_of(self, name: str) -> dict[str, Any]:
        """Return the details of a run, with its task."""
        content = await run_in_threadpool(details, self.runs.run(name))
        task = self.tasks.of_run(name)
        return content | {"task": task.to_json() if task else None}

    async def curve(self, request: Request) -> Any:
        """Return the loss curve of a run."""
        run, text = self.runs.run(request.path_params["name"]), request.query_params.get("points")
        points = int(text) if text and text.isascii() and text.isdigit() else DEFAULT_POINTS
        points = min(max(points, MIN_POINTS), MAX_POINTS)
        per_step = folder.read_json(run / folder.STATE).get("tokens_per_step")
        per_step = per_step if isinstance(per_step, int) else None
        return await run_in_threadpool(self.curves.get, run / folder.METRICS, points, per_step)

    async def start(self, request: Request) -> Any:
        """Start a run."""
        body = await body_of(request)
        name, anyway = body.get("name"), body.get("anyway") is True
        await run_in_threadpool(self.training.free_path, name, anyway=anyway)
        words = await run_in_threadpool(self.words, body)
        await run_in_threadpool(self.training.start, name, words, anyway=anyway)
        return JSONResponse({"run": await self.details_of(body["name"])}, 201, NO_STORE)

    def words(self, body: dict[str, Any]) -> list[str]:
        """Return the checked settings of a request as command-line words; each set of stories is
        replaced by its folder."""
        settings = body.get("settings", {})
        if isinstance(settings, dict):
            sources = ("corpus.source", "corpus.validation")
            settings = {
                key: self.sets.source(value) if key in sources else value
                for key, value in settings.items()
            }
        words = words_of(body.get("preset", ""), settings)
        self.commands.check(words)
        return words

    async def act(self, request: Request) -> Any:
        """Pause, stop, resume a run, or start it over."""
        name, action = request.path_params["name"], request.path_params["action"]
        body = await body_of(request)
        if action in ("pause", "stop"):
            await run_in_threadpool(self.training.request_end, name, action)
        elif action == "resume":
            await run_in_threadpool(self.training.resume, name)
        elif action == "restart":
            if body.get("name") != name:
                raise Refused(f"type the run's name, {name}, to start it over.")
            await run_in_threadpool(self.training.resume, name, fresh=True)
            await run_in_threadpool(self.models.forget, name)
        else:
            raise Refused(f"{action[:20]!r} is not an action: use pause, stop, resume or restart.")
        return {"run": await self.details_of(name)}

    async def delete(self, request: Request) -> Any:
        """Delete a run."""
        body = await body_of(request)
        name = request.path_params["name"]
        await run_in_threadpool(self.training.delete, name, body.get("name"))
        await run_in_threadpool(self.models.forget, name)
        return {}

    async def command(self, request: Request) -> Any:
        """Return the command that would start a run with these settings."""
        body = await body_of(request)
        words = await run_in_threadpool(self.words, body)
        return {"command": command_text(words, self.runs.path(body.get("name")))}

    async def list_models(self, _: Request) -> Any:
        """List the models that a run can start from: those of the page and those of runs."""
        runs = (await run_in_threadpool(listing, self.runs))["runs"]
        of_runs = [
            {
                "name": run["name"],
                "folder": str(self.runs.path(run["name"])),
                "parameters": run["parameters"],
                "open": False,
                "run": run["name"],
            }
            for run in runs
            if run["model_step"] is not None
        ]
        return {"models": [*self.models.of_the_page(), *of_runs]}

    # Tasks, which take longer than a request

    async def write(self, request: Request) -> Any:
        """Start opening a run's newest model on the page Write."""
        await body_of(request)
        name = self.runs.run(request.path_params["name"]).name
        return self.begin(
            "write", lambda task: write_with(self.models, self.runs, name, task), name
        )

    async def export(self, request: Request) -> Any:
        """Start exporting a run's newest model to a file."""
        body = await body_of(request)
        run = self.runs.run(request.path_params["name"])
        form, kind = exports.checked_form(body.get("form"), body.get("type", "f16"))
        return self.begin("export", lambda task: exports.export(run, form, kind, task), run.name)

    async def file(self, request: Request) -> Any:
        """Download an exported file."""
        run = self.runs.run(request.path_params["name"])
        path = exports.file(run, request.path_params["file"])
        return FileResponse(path, filename=path.name, headers=NO_STORE)

    async def evaluate(self, request: Request) -> Any:
        """Start evaluating a run's newest model."""
        body = await body_of(request)
        run = self.runs.run(request.path_params["name"])
        source = self.sets.source(str(body.get("source") or ""))
        return self.begin("evaluate", lambda task: exports.evaluate(run, source, task), run.name)

    async def inspect(self, request: Request) -> Any:
        """Start inspecting how stories are read."""
        body = await body_of(request)
        source = self.sets.source(str(body.get("source") or ""))
        words = words_of("", body.get("settings") or {})
        return self.begin("inspect", lambda task: self.commands.inspect(source, words, task))

    async def estimate(self, request: Request) -> Any:
        """Start estimating how long a run would take on this machine."""
        words = await run_in_threadpool(self.words, await body_of(request))
        return self.begin("estimate", lambda task: self.commands.estimate(words, task))

    def begin(self, kind: str, work: Callable[[Task], dict[str, Any]], run: str = "") -> Response:
        """Start a task and return it."""
        return JSONResponse({"task": self.tasks.start(kind, work, run).to_json()}, 202, NO_STORE)

    async def list_tasks(self, _: Request) -> Any:
        """List all tasks, the newest first."""
        tasks = list(self.tasks.tasks.values())
        return {"tasks": [task.to_json() for task in reversed(tasks)]}

    async def task(self, request: Request) -> Any:
        """Return one task."""
        return {"task": self.tasks.get(request.path_params["id"]).to_json()}

    async def cancel(self, request: Request) -> Any:
        """Cancel a task."""
        await body_of(request)
        task = self.tasks.get(request.path_params["id"])
        task.cancel()
        return {"task": task.to_json()}

    async def settings(self, _: Request) -> Any:
        """Return all settings of the trainer, with its presets."""
        return await run_in_threadpool(self.commands.settings)

    # Stories

    async def stories(self, _: Request) -> Any:
        """List the sets of stories that were uploaded."""
        return {
            "sets": await run_in_threadpool(self.sets.all),
            "limit_bytes": self.sets.limit,
        }

    async def receive(self, request: Request) -> Any:
        """Receive a file of a set."""
        check_header(request)
        name, file = request.path_params["set"], request.path_params["file"]
        content = await self.sets.write(name, file, request.stream())
        return JSONResponse({"set": content}, 201, NO_STORE)

    async def delete_stories(self, request: Request) -> Any:
        """Delete a set of stories."""
        body = await body_of(request)
        name = request.path_params["set"]
        await run_in_threadpool(self.sets.delete, name, body.get("name"))
        return {}


def json_handler(endpoint: Endpoint) -> Handler:
    """Return a handler that sends an endpoint's result, or its error message, as JSON."""

    async def handler(request: Request) -> Response:
        try:
            result = await endpoint(request)
        except Refused as problem:
            error = {"detail": capitalized(str(problem)), "remedy": problem.remedy}
            return JSONResponse(error, problem.status, NO_STORE)
        except (ValueError, OSError) as problem:
            return JSONResponse({"detail": capitalized(str(problem))}, 422, NO_STORE)
        return result if isinstance(result, Response) else JSONResponse(result, headers=NO_STORE)

    return handler


class OtherOrigin(Refused):
    """A request that another site's page may have sent."""

    status = 403


def check_header(request: Request) -> None:
    """Raise OtherOrigin without the page's header: before a browser sends this header to another
    site, it asks that site (CORS preflight), and the app does not consent."""
    if request.headers.get(HEADER) != "1":
        raise OtherOrigin(f"only the page itself may send this, with the header {HEADER}.")


async def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request that changes something; Refused without the header."""
    check_header(request)
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refused("the body of the request must be a JSON object.")
    return body
