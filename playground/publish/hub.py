"""Publish a staged repository on the Hub in one commit, and wait until a Space runs.

huggingface_hub's errors become one message that says what to do. Uploaded files stay invisible
until the commit that names them, which is made on the revision that was read before: publishing is
atomic, even if somebody else publishes meanwhile. huggingface_hub keeps the token; this module does
not print or store it.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from playground.publish.staging import Say, Staging
from playground.sentences import first_line

POLL = 5.0  # seconds between two requests for the state of a Space that is being built
BUILD_MINUTES = 20
LOG_LINES = 15
TIMEOUT = 120  # seconds for an answer of a Space, which may be starting
OURS = ("playground/", "browser/", "web/", "model-")  # old files here are removed
TOKENS = "https://huggingface.co/settings/tokens"
BUILDING = ("BUILDING", "RUNNING_BUILDING", "APP_STARTING", "RUNNING_APP_STARTING", "STOPPED")
MESSAGES = {  # by HTTP status
    401: "the Hub does not accept your token: log in with `hf auth login`.",
    402: "the Hub requires a paid plan for this ({message}): choose another --target, or see "
    "https://huggingface.co/pricing.",
    403: "the Hub refuses ({message}): your token needs write access to {name} (make one "
    f"at {TOKENS}), and a new account a verified address.",
    404: "the Hub has no {name} that you can see: check the owner's name.",
    409: "somebody else is changing {name}: you changed nothing, repeat the command.",
    412: "{name} was changed during your upload: you changed nothing, repeat the command.",
    413: "this is too large for the Hub ({message}): publish fewer files.",
    429: "the Hub's rate limit is reached: repeat the command after {wait}.",
}
SERVER_ERROR = "the Hub failed ({status}): {name} is unchanged, repeat the command later."
CONNECTION_LOST = "the connection to the Hub was lost: {name} is unchanged, repeat the command."


@contextmanager
def hub_errors(name: str) -> Iterator[None]:
    """Turn errors of the Hub or the network into a ValueError with one message."""
    try:
        yield
    except LocalTokenNotFoundError:
        raise ValueError(
            f"you are not logged in: `hf auth login`, with a token of {TOKENS}."
        ) from None
    except HfHubHTTPError as problem:
        raise ValueError(error_message(problem, name)) from None
    except HFValidationError as problem:
        raise ValueError(f"the Hub does not accept this name: {first_line(problem)}") from None
    except (ValueError, KeyboardInterrupt):
        raise
    except Exception as problem:  # huggingface_hub passes on errors of its HTTP client and threads
        cause = problem.__cause__
        if isinstance(cause, HfHubHTTPError):
            raise ValueError(error_message(cause, name)) from None
        raise ValueError(CONNECTION_LOST.format(name=name)) from None


def error_message(problem: HfHubHTTPError, name: str) -> str:
    """Return the message for a failed request to the Hub."""
    response = problem.response
    status = response.status_code
    wait = response.headers.get("retry-after", "")
    message = SERVER_ERROR if status >= 500 else MESSAGES.get(status, SERVER_ERROR)
    return message.format(
        name=name,
        status=status,
        message=(problem.server_message or "no reason given").strip().rstrip("."),
        wait=f"{wait} seconds" if wait.isdigit() else "some minutes",
    )


def check_login(api: HfApi, name: str) -> str:
    """Return the logged-in account; ValueError without one or if its token cannot write."""
    with hub_errors(name):
        account = api.whoami()
    rights = account.get("auth", {}).get("accessToken", {}).get("role")
    if rights == "read":
        raise ValueError(f"your token can only read: make one with write access at {TOKENS}.")
    return str(account["name"])


def check_model(api: HfApi, model: str) -> None:
    """Raise ValueError if a Space's model is not on the Hub yet."""
    with hub_errors(model):
        if not api.repo_exists(model):
            raise ValueError(
                f"there is no model {model} on the Hub: publish it first (`python -m "
                f"playground.publish model EXPORT {model}`), or name another with --model."
            )


def publish(
    api: HfApi,
    name: str,
    kind: str,
    staging: Staging,
    *,
    private: bool,
    hardware: str | None,
    say: Say,
) -> str:
    """Publish a staged repository in one commit; return the commit's id.

    Args:
        kind: "model" or "space".
        hardware: of a new Space; None for a static Space.
    """
    with hub_errors(name):
        gradio = {"space_sdk": "gradio", "space_hardware": hardware}
        space = {} if kind == "model" else gradio if hardware else {"space_sdk": "static"}
        api.create_repo(name, repo_type=kind, private=private, exist_ok=True, **space)
        before = api.repo_info(name, repo_type=kind)
        existing = set(api.list_repo_files(name, repo_type=kind, revision=before.sha))
        removed = [path for path in existing - set(staging.files) if path.startswith(OURS)]
        added = [
            CommitOperationAdd(path, content.encode() if isinstance(content, str) else content)
            for path, content in sorted(staging.files.items())
        ]
        address = f"{api.endpoint}/{'spaces/' if kind == 'space' else ''}{name}"
        say(f"uploading {len(added)} files to {address}")
        commit = api.create_commit(
            name,
            [*added, *map(CommitOperationDelete, sorted(removed))],
            repo_type=kind,
            commit_message="Published with Inkling",
            parent_commit=before.sha,
        )
        return str(commit.oid)


def wait_until_it_runs(api: HfApi, name: str, commit: str, say: Say, *, poll: float = POLL) -> str:
    """Wait until a Space runs; return its address.

    Raises:
        ValueError: it does not build or start; the message has the end of its log.
    """
    began, last = time.monotonic(), ""
    while time.monotonic() - began < 60 * BUILD_MINUTES:
        with hub_errors(name):
            runtime = api.get_space_runtime(name)
        stage, revision = str(runtime.stage).rsplit(".", 1)[-1], runtime.raw.get("sha")
        if stage != last:
            say(f"{time.monotonic() - began:5.0f} s  {stage.lower().replace('_', ' ')}")
            last = stage
        if stage == "RUNNING" and revision in (commit, None):
            with hub_errors(name):
                return str(api.space_info(name).host)
        if stage in ("PAUSED", "SLEEPING"):
            raise ValueError(
                f"{name} is {stage.lower()}, and its new files are uploaded: wake it at "
                f"{api.endpoint}/spaces/{name}."
            )
        if stage not in BUILDING and stage != "RUNNING":
            raise ValueError(
                f"{name} does not run ({stage.lower().replace('_', ' ')}): "
                f"{end_of_log(api, name, 'BUILD' in stage)} See {api.endpoint}/spaces/{name}."
            )
        time.sleep(poll)
    raise ValueError(
        f"{name} did not start within {BUILD_MINUTES} minutes; it may still start: see "
        f"{api.endpoint}/spaces/{name}."
    )


def end_of_log(api: HfApi, name: str, build: bool) -> str:
    """Return the last lines of a Space's log, joined to one."""
    try:
        lines = [line.strip() for line in api.fetch_space_logs(name, build=build)]
    except Exception:  # an unreadable log must not hide the Space's own failure
        return "its log could not be read."
    return " / ".join(line for line in lines[-LOG_LINES:] if line) or "its log is empty."


def page_model(host: str, *, private: bool) -> str:
    """Return the name of the model on a static Space's page; ValueError if the page fails."""
    with space_errors("page"):
        return str(json.loads(answer_of(host, "start.json", private))["models"][0]["name"])


def first_story(host: str, *, private: bool) -> str:
    """Return a short story from a Space's API; ValueError if the API fails."""
    call = "gradio_api/call/v2/generate"
    body = json.dumps({"prompt": "Once upon a time", "length": 8, "seed": 1}).encode()
    with space_errors("API"):
        event = json.loads(answer_of(host, call, private, body))["event_id"]
        events = answer_of(host, f"{call}/{event}", private).decode()
    data = [line[6:] for line in events.splitlines() if line.startswith("data: ")]
    if "event: complete" not in events or not data:
        raise ValueError("the Space runs, but its API wrote no story: read its log.")
    return str(json.loads(data[-1])[0])


def answer_of(host: str, path: str, private: bool, body: bytes | None = None) -> bytes:
    """Return a Space's answer to a GET, or to a POST of JSON. A private Space requires the token,
    which only the Hub's hosts get."""
    headers = {"Content-Type": "application/json"}
    if private and urlsplit(host).netloc.endswith(".hf.space"):
        headers["Authorization"] = f"Bearer {get_token()}"
    request = urllib.request.Request(f"{host.rstrip('/')}/{path}", body, headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        content: bytes = response.read()
    return content


@contextmanager
def space_errors(part: str) -> Iterator[None]:
    """Turn errors in a Space's answer into a ValueError that names the `part` of the Space."""
    try:
        yield
    except (OSError, LookupError, ValueError) as problem:
        reason = first_line(problem)
        raise ValueError(f"the Space runs, but its {part} does not answer ({reason}).") from None
