"""What the page's Train and Models ask: runs as JSON, under /studio/.

They are there only when the app listens to this computer alone, and ask for the owner's key
(server/owner.py), which also refuses what a proxy passed on and what another site's page sends.
What changes something wants a header besides, which no form and no other site can send.
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
from playground.runs.questions import Questions
from playground.runs.stories import StorySets
from playground.runs.tasks import Task, Tasks
from playground.runs.training import Training, shown, words_of
from playground.sentences import capitalized
from playground.server.owner import Handler, Owner

HEADER = "x-inkling-studio"
POINTS = (20, 400, 2000)  # of a curve: at least, by default, at most
FRESH = {"cache-control": "no-store"}
Answer = Callable[[Request], Awaitable[Any]]


class Studio:
    """The routes, over the runs of one folder."""

    def __init__(
        self,
        runs: Path,
        owner: Owner,
        engines: MutableMapping[str, Engine],
        start: dict[str, Any],
        device: str = "auto",
    ) -> None:
        """`runs`: the folder of runs; `engines` and `start`: the models of the page, see
        server/write.py, to which those of runs are added."""
        self.owner = owner
        self.runs = RunsFolder(runs)
        self.training = Training(self.runs)
        self.sets = StorySets(self.runs.folder.parent / "stories")
        self.models = OpenModels(engines, start, device)
        self.tasks, self.curves, self.questions = Tasks(), Curves(), Questions(self.sets)

    def close(self) -> None:
        """End what ends with the app: tasks and models. Runs do not."""
        self.tasks.close()
        self.models.close_all()

    @property
    def routes(self) -> list[Route]:
        """Return the routes of Studio."""
        run, sets, read, write = "/studio/runs/{name}", "/studio/stories/{set}", "GET", "POST"
        rows: list[tuple[str, str, Answer]] = [
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
            Route(path, self.owner.only(guarded(answer)), methods=[method])
            for method, path, answer in rows
        ]

    # Runs

    async def list_runs(self, _: Request) -> Any:
        """All runs."""
        return await run_in_threadpool(listing, self.runs)

    async def show(self, request: Request) -> Any:
        """One run."""
        return await self.shown(request.path_params["name"])

    async def shown(self, name: str) -> dict[str, Any]:
        """Return the details of a run, with its task."""
        found = await run_in_threadpool(details, self.runs.run(name))
        task = self.tasks.of_run(name)
        return found | {"task": task.to_json() if task else None}

    async def curve(self, request: Request) -> Any:
        """The curve of a run."""
        run, text = self.runs.run(request.path_params["name"]), request.query_params.get("points")
        least, usual, most = POINTS
        points = int(text) if text and text.isascii() and text.isdigit() else usual
        points = min(max(points, least), most)
        per_step = folder.read_json(run / folder.STATE).get("tokens_per_step")
        per_step = per_step if isinstance(per_step, int) else None
        return await run_in_threadpool(self.curves.get, run / folder.METRICS, points, per_step)

    async def start(self, request: Request) -> Any:
        """Start a run."""
        asked = await body_of(request)
        name, anyway = asked.get("name"), asked.get("anyway") is True
        await run_in_threadpool(self.training.free_path, name, anyway=anyway)
        words = await run_in_threadpool(self.words, asked)
        await run_in_threadpool(self.training.start, name, words, anyway=anyway)
        return JSONResponse({"run": await self.shown(asked["name"])}, 201, FRESH)

    def words(self, asked: dict[str, Any]) -> list[str]:
        """The settings of a request as words, checked, with sets of stories as folders."""
        settings = asked.get("settings", {})
        if isinstance(settings, dict):
            sources = ("corpus.source", "corpus.validation")
            settings = {
                key: self.sets.source(value) if key in sources else value
                for key, value in settings.items()
            }
        words = words_of(asked.get("preset", ""), settings)
        self.questions.check(words)
        return words

    async def act(self, request: Request) -> Any:
        """Pause, stop, resume a run, or start it over."""
        name, action = request.path_params["name"], request.path_params["action"]
        asked = await body_of(request)
        if action in ("pause", "stop"):
            await run_in_threadpool(self.training.ask, name, action)
        elif action == "resume":
            await run_in_threadpool(self.training.resume, name)
        elif action == "restart":
            if asked.get("name") != name:
                raise Refused(f"type the run's name, {name}, to start it over.")
            await run_in_threadpool(self.training.resume, name, fresh=True)
            await run_in_threadpool(self.models.forget, name)
        else:
            raise Refused(f"{action[:20]!r} cannot be asked of a run.")
        return {"run": await self.shown(name)}

    async def delete(self, request: Request) -> Any:
        """Delete a run."""
        asked = await body_of(request)
        name = request.path_params["name"]
        await run_in_threadpool(self.training.delete, name, asked.get("name"))
        await run_in_threadpool(self.models.forget, name)
        return {}

    async def command(self, request: Request) -> Any:
        """The command line of a run that is not started."""
        asked = await body_of(request)
        words = await run_in_threadpool(self.words, asked)
        return {"command": shown(words, self.runs.path(asked.get("name")))}

    async def list_models(self, _: Request) -> Any:
        """The models that a run can begin with: those of the page, and those of runs."""
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

    # What takes longer

    async def write(self, request: Request) -> Any:
        """Open a run's newest model in Write."""
        await body_of(request)
        name = self.runs.run(request.path_params["name"]).name
        return self.begin(
            "write", lambda task: write_with(self.models, self.runs, name, task), name
        )

    async def export(self, request: Request) -> Any:
        """Make a file of a run's newest model."""
        asked = await body_of(request)
        run = self.runs.run(request.path_params["name"])
        form, kind = exports.checked_form(asked.get("form"), asked.get("type", "f16"))
        return self.begin("export", lambda task: exports.export(run, form, kind, task), run.name)

    async def file(self, request: Request) -> Any:
        """Download such a file."""
        run = self.runs.run(request.path_params["name"])
        path = exports.file(run, request.path_params["file"])
        return FileResponse(path, filename=path.name, headers=FRESH)

    async def evaluate(self, request: Request) -> Any:
        """Evaluate a run's newest model."""
        asked = await body_of(request)
        run = self.runs.run(request.path_params["name"])
        source = self.sets.source(str(asked.get("source") or ""))
        return self.begin("evaluate", lambda task: exports.evaluate(run, source, task), run.name)

    async def inspect(self, request: Request) -> Any:
        """How stories are read."""
        asked = await body_of(request)
        source = self.sets.source(str(asked.get("source") or ""))
        words = words_of("", asked.get("settings") or {})
        return self.begin("inspect", lambda task: self.questions.inspect(source, words, task))

    async def estimate(self, request: Request) -> Any:
        """How long a run would take on this machine."""
        words = await run_in_threadpool(self.words, await body_of(request))
        return self.begin("estimate", lambda task: self.questions.estimate(words, task))

    def begin(self, kind: str, work: Callable[[Task], dict[str, Any]], run: str = "") -> Response:
        """Begin a task."""
        return JSONResponse({"task": self.tasks.start(kind, work, run).to_json()}, 202, FRESH)

    async def list_tasks(self, _: Request) -> Any:
        """All tasks, the newest first."""
        tasks = list(self.tasks.tasks.values())
        return {"tasks": [task.to_json() for task in reversed(tasks)]}

    async def task(self, request: Request) -> Any:
        """One task."""
        return {"task": self.tasks.get(request.path_params["id"]).to_json()}

    async def cancel(self, request: Request) -> Any:
        """End a task."""
        await body_of(request)
        task = self.tasks.get(request.path_params["id"])
        task.cancel()
        return {"task": task.to_json()}

    async def settings(self, _: Request) -> Any:
        """All settings of the trainer, with its presets."""
        return await run_in_threadpool(self.questions.settings)

    # Stories

    async def stories(self, _: Request) -> Any:
        """The sets of stories that were brought."""
        return {
            "sets": await run_in_threadpool(self.sets.all),
            "limit_bytes": self.sets.limit,
        }

    async def receive(self, request: Request) -> Any:
        """Write a file of a set."""
        check_header(request)
        name, file = request.path_params["set"], request.path_params["file"]
        about = await self.sets.write(name, file, request.stream())
        return JSONResponse({"set": about}, 201, FRESH)

    async def delete_stories(self, request: Request) -> Any:
        """Delete a set."""
        asked = await body_of(request)
        name = request.path_params["set"]
        await run_in_threadpool(self.sets.delete, name, asked.get("name"))
        return {}


def guarded(answer: Answer) -> Handler:
    """A handler that answers as JSON, and with one message for what cannot be done."""

    async def handler(request: Request) -> Response:
        try:
            found = await answer(request)
        except Refused as problem:
            refusal = {"detail": capitalized(str(problem)), "remedy": problem.remedy}
            return JSONResponse(refusal, problem.status, FRESH)
        except (ValueError, OSError) as problem:
            return JSONResponse({"detail": capitalized(str(problem))}, 422, FRESH)
        return found if isinstance(found, Response) else JSONResponse(found, headers=FRESH)

    return handler


class NotFromHere(Refused):
    """A request that the page did not send."""

    status = 403


def check_header(request: Request) -> None:
    """Refuse what a page from elsewhere could send: a browser asks before it sends this header to
    another site, and is not answered."""
    if request.headers.get(HEADER) != "1":
        raise NotFromHere(f"this is for the page itself, which sends the header {HEADER}.")


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object that the page sends with what changes something."""
    check_header(request)
    try:
        found = json.loads(await request.body())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refused("the request must hold a JSON object.")
    return found
