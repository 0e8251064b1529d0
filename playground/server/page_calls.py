"""The calls of the page itself: `POST /call/NAME`, answered with server-sent events.

The page holds the story itself. So the server stores nothing of a visitor, and a restart loses
nothing. Every request is checked here: anybody can call. New words go out at most every 35 ms, and
less often when many visitors write, so that the model gets the processor.

The calls do not go through Gradio's queue. It takes two requests for a call, looks for new calls
every 10 ms, and takes 1 to 1.5 ms of the processor for every message.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from playground.engine import replay
from playground.engine.engine import Busy, Engine
from playground.engine.stream import Stream
from playground.folder.json_file import json_object
from playground.inside.inside import WORK_MAX, Inside
from playground.sampling import WORD_MAX, Settings, instead
from playground.sentences import capitalized
from playground.server.visitors import one_more, visitor
from playground.stories.permalink import Run
from playground.stories.story import Token

INTERVAL = 0.035  # seconds between two messages to one visitor
INTERVAL_PER_VISITOR = 0.005  # added to it for every other story that is being written
POLL = 0.004  # seconds between two looks for new tokens
PROMPT_MAX = 20_000  # characters
STREAMS_MAX = 8  # continuations in one call
CROWD, TURN = 4, 2.0  # stories of a visitor that run without turns; seconds of a turn
IDS_MAX = 50_000  # tokens of a story that is continued
INSIDES = 8  # models whose states are cached
REMOVAL_TIME = 15.0  # seconds for which tokens are removed, one at a time

Endpoint = Callable[..., Any]


class PageCalls:
    """The page's endpoints, for several models by name."""

    def __init__(self, engines: Mapping[str, Engine]) -> None:
        self.engines = engines
        self.running: Counter[str] = Counter()  # stories under way, by visitor
        self.inside = lru_cache(INSIDES)(Inside)
        self.looking = asyncio.Lock()  # one at a time: a pass takes the processor and memory

    def engine(self, model: Any) -> Engine:
        """Return the model of that name, or the first for None; ValueError for an unknown name."""
        name = next(iter(self.engines)) if model is None else model
        if not isinstance(name, str) or name not in self.engines:
            raise ValueError(
                f"There is no model {str(name)[:50]!r} here: choose from {', '.join(self.engines)}."
            )
        return self.engines[name]

    async def page_write(
        self, asked: dict[str, Any], request: Request | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Continue a story in one or several ways: messages of new (text, surprise, id)."""
        with ExitStack() as held:
            engine, ids, text = self.story_of(asked)
            each = settings_of(asked)
            token_id = chosen_of(asked)
            # Draws are counted from the model's first token: the same seed writes the same
            # story here as in the terminal, and from a link.
            opening = whole(asked.get("opening", -1), "opening", -1)
            streams: list[Stream] = []
            for settings in each:
                held.enter_context(self.visit(request))
                stream = engine.extend(
                    ids,
                    text,
                    settings,
                    opening=None if opening < 0 else opening,
                    token_id=token_id,
                    beyond_end=asked.get("beyond_end") is True,
                    begins_with=checked_text(asked.get("begins_with", ""))[:WORD_MAX],  # of a link
                    completes_word=True,
                    written=whole(asked.get("written", 0), "written"),
                    alternatives=0,
                )
                streams.append(held.enter_context(stream))
                if len(streams) == 1:  # what was typed is encoded and scored once
                    typed, seam = stream.typed, stream.seam
                    ids, text, token_id = [*ids, *typed], text[len(seam.bare) :], None
            num_typed = len(typed)
            yield {"new": [], "typed": num_typed, "begins_with": "" if seam.word else seam.begins}
            until, count, length = time.monotonic() + TURN, 0, each[0].length
            async for batch in self.batches(streams):
                new = [
                    [k, *zip(*rows(tokens), strict=True)]
                    for k, tokens in enumerate(batch)
                    if tokens
                ]
                message: dict[str, Any] = {"new": new}
                if seam.word and count <= len(typed) < count + len(batch[0]):
                    # The first token after the bare text says whether the last word was finished.
                    is_finished = batch[0][len(typed) - count].draw is None
                    num_typed += len(seam.word) if is_finished else 0
                    message |= {
                        "typed": num_typed,
                        "begins_with": "" if is_finished else seam.begins,
                    }
                yield message
                count += len(batch[0])
                spelt = len(seam.begins.encode())  # tokens at most
                part = len(streams) == 1 and spelt < count - num_typed < length
                if part and not streams[0].done and self.crowds(request, until):
                    yield {"new": [], "more": True}
                    return
            yield {"new": [], "ended": [stream.story.ended for stream in streams]}

    def page_score(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Score a text after a story, or `given` tokens: each as (text, surprise, id)."""
        engine, ids, text = self.story_of(asked)
        if "given" in asked:
            _, new, _ = self.story_of(asked | {"ids": asked["given"]})
        else:
            new = engine.encode(engine.seam(text, begins=not ids).bare, begins=not ids)
        tokens = engine.score_ids(new, after=ids, alternatives=0).tokens if new else ()
        return {"tokens": rows(tokens)}

    async def page_record(
        self, asked: dict[str, Any], request: Request | None = None
    ) -> dict[str, Any]:
        """Return the record of a story's tokens. `parts`: those that a model wrote, each {from, to,
        position, settings, begins, beyond}; they are written again and have draws."""
        with self.visit(request):
            engine, ids, _ = self.story_of(asked)
            if not ids:
                raise ValueError("ids must hold a token: an empty story has no record.")
            parts = parts_of(asked, len(ids))
            record = await run_in_threadpool(replay.record, engine, ids, parts)
            ended = ids[-1] in engine.storyteller.eos_ids
            return {"tokens": [token.to_values() for token in record.tokens], "ended": ended}

    def page_candidates(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the most likely next tokens of a story, and the record of the token that was
        chosen."""
        engine, ids, text = self.story_of(asked)
        settings = Settings.from_json(asked.get("settings", {}))
        return engine.candidates(ids, text, chosen_of(asked), settings).to_json()

    async def page_inside(
        self, asked: dict[str, Any], request: Request | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Show what the model computed before token `position` of a story: first a `look`
        (inside.Look), then messages of `removed` tokens (position, change), the nearest first,
        until REMOVAL_TIME; the last has `ended` and the `seconds` in all."""
        with ExitStack() as held:
            engine, ids, _ = self.story_of(asked)
            position = whole(asked.get("position"), "position")
            held.enter_context(self.visit(request))
            begun = time.monotonic()
            async with self.looking:
                inside = await run_in_threadpool(self.inside, engine)
                look = await run_in_threadpool(inside.look, ids, position, work=WORK_MAX)
            yield {"look": look.to_json()}
            removals = inside.removals(ids, position, REMOVAL_TIME)
            held.callback(removals.close)
            removed: list[list[float]] = []
            sent = time.monotonic()
            async for index, change in iterate_in_threadpool(removals):
                removed.append([index, round(change, 4)])
                if time.monotonic() > sent + INTERVAL:
                    yield {"removed": removed}
                    removed, sent = [], time.monotonic()
            yield {"removed": removed, "ended": True, "seconds": time.monotonic() - begun}

    def story_of(self, request: dict[str, Any]) -> tuple[Engine, list[int], str]:
        """Return the model, the tokens and the typed text of a page's request."""
        ids = request.get("ids")
        if not isinstance(ids, list) or len(ids) > IDS_MAX:
            raise ValueError(f"ids must be a list of at most {IDS_MAX:,} tokens.")
        ids = [whole(token_id, "ids") for token_id in ids]
        return self.engine(request.get("model")), ids, checked_text(request.get("text", ""))

    @contextmanager
    def visit(self, request: Any) -> Iterator[None]:
        """Count one more running story of a visitor (see `visitor`); Busy beyond half of all, so
        that nobody can keep the others out."""
        name = visitor(request)
        most = max(
            STREAMS_MAX, max(engine.max_streams for engine in list(self.engines.values())) // 2
        )
        if name and self.running[name] >= most:
            raise Busy(f"You have {most} stories under way: wait for one of them.")
        with one_more(self.running, name):
            yield

    def crowds(self, request: Request | None, until: float) -> bool:
        """Return whether a story should give up its connection: its turn is over and its visitor
        has CROWD stories or more. A browser keeps six connections to a server, for all tabs. The
        page requests the rest in another call."""
        return time.monotonic() > until and self.running[visitor(request)] >= CROWD

    async def batches(self, streams: list[Stream]) -> AsyncIterator[list[list[Any]]]:
        """Yield the new tokens of streams until all are done, the first new words at once."""
        is_written = False
        while not all(stream.done for stream in streams):
            batch = [stream.take() for stream in streams]
            if not any(batch):
                await asyncio.sleep(POLL)
                continue
            yield batch
            is_written |= any(token.draw is not None for tokens in batch for token in tokens)
            others = max(0, self.running.total() - len(streams))
            interval = INTERVAL + INTERVAL_PER_VISITOR * others
            await asyncio.sleep(interval if is_written else POLL)


def rows(tokens: Iterable[Token]) -> list[tuple[str, float, int]]:
    """Return (text, surprise in nats, id) of each token."""
    return [(token.text, round(token.surprise, 3), token.token_id) for token in tokens]


def settings_of(request: dict[str, Any]) -> list[Settings]:
    """Return the settings of a page's request, with each of its seeds."""
    values, seeds = request.get("settings"), request.get("seeds")
    if not isinstance(seeds, list) or not 1 <= len(seeds) <= STREAMS_MAX:
        raise ValueError(f"seeds must be a list of 1 to {STREAMS_MAX} numbers.")
    settings = Settings.from_json(values)
    return [replace(settings, seed=seed) for seed in seeds]


def parts_of(request: dict[str, Any], count: int) -> list[replay.Part]:
    """Return the parts of a story of `count` tokens that a model wrote, in a page's request."""
    values, parts, end = request.get("parts", []), [], 0
    if not isinstance(values, list) or not all(isinstance(part, dict) for part in values):
        raise ValueError("parts must be a list of JSON objects.")
    for part in values:
        start, stop = (whole(part.get(name), name) for name in ("from", "to"))
        if not end <= start < stop <= count:
            raise ValueError(f"parts must follow each other within the story's {count:,} tokens.")
        settings = Settings.from_json(part.get("settings"))
        run = Run(
            settings, checked_text(part.get("begins", ""))[:WORD_MAX], part.get("beyond") is True
        )
        parts.append(replay.Part(start, stop, whole(part.get("position"), "position"), run))
        end = stop
    return parts


def chosen_of(request: dict[str, Any]) -> int | None:
    """Return the token that a person chose, in a page's request."""
    return None if request.get("token_id") is None else whole(request["token_id"], "token_id")


def whole(value: Any, name: str, least: int = 0) -> int:
    """Return a whole number; ValueError if it is something else."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**31:
        raise ValueError(f"{name} must be a whole number, {instead(value)}.")
    return value


def checked_text(text: Any) -> str:
    """Return a text of at most PROMPT_MAX characters; ValueError if it is something else."""
    if not isinstance(text, str):
        raise ValueError("The prompt must be text.")
    if len(text) > PROMPT_MAX:
        raise ValueError(
            f"The prompt has {len(text):,} characters; {PROMPT_MAX:,} are the most: shorten it."
        )
    return text


def route(*endpoints: Endpoint) -> Route:
    """Return the route to some endpoints, each of which takes a JSON object. The answer has a
    "message" for each value of the endpoint, then "complete"; or "error" and {error, title} for
    a ValueError or RuntimeError."""
    by_name = {endpoint.__name__: endpoint for endpoint in endpoints}

    async def answer(request: Request) -> Response:
        endpoint = by_name.get(request.path_params["name"])
        if endpoint is None:
            return JSONResponse({"detail": "There is no such address here."}, 404)
        if (asked := json_object(await request.body())) is None:
            return JSONResponse({"detail": "A call takes a JSON object."}, 422)
        return StreamingResponse(events(endpoint, asked, request), media_type="text/event-stream")

    return Route("/call/{name}", answer, methods=["POST"])


async def events(endpoint: Endpoint, asked: dict[str, Any], request: Request) -> AsyncIterator[str]:
    """Yield the events of a call."""
    values = [asked, request] if "request" in inspect.signature(endpoint).parameters else [asked]
    try:
        if inspect.isasyncgenfunction(endpoint):
            async for message in endpoint(*values):
                yield event("message", message)
        elif inspect.iscoroutinefunction(endpoint):
            yield event("message", await endpoint(*values))
        else:
            yield event("message", await run_in_threadpool(endpoint, *values))
    except (ValueError, RuntimeError) as problem:
        title = "Busy" if isinstance(problem, Busy) else "Error"  # the page retries at "Busy"
        yield event("error", {"error": capitalized(str(problem)), "title": title})
    else:
        yield event("complete", None)


def event(name: str, data: Any) -> str:
    """Return a server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
