"""Putting a staged repository on the Hub, in one commit, and waiting until a Space runs.

The client is huggingface_hub's. What it raises becomes one sentence that says what to do. Files go
up first and nobody sees them; the commit that names them is one step, made on the commit that was
read before, so a repository is as it was or as it will be, whoever else publishes meanwhile.
The token stays where huggingface_hub keeps it: it is not read here, printed or stored.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from playground.publish.staging import Say, Staging
from playground.sentences import first_line

POLL = 5.0  # seconds between two looks at a Space that is being built
BUILD_MINUTES = 20
LOG_LINES = 15
OURS = (
    "playground/",
    "browser/",
    "web/",
    "model-",
)  # where a file that is not staged any more is removed
TOKENS = "https://huggingface.co/settings/tokens"
BUILDING = ("BUILDING", "RUNNING_BUILDING", "APP_STARTING", "RUNNING_APP_STARTING", "STOPPED")
REFUSED = {
    401: "the Hub does not know your token: log in with `hf auth login`.",
    402: "the Hub asks for a paid plan for this ({message}): choose another --target, or see "
    "https://huggingface.co/pricing.",
    403: "the Hub refuses ({message}): your token needs the right to write to {name} (make one "
    f"at {TOKENS}), and a new account a verified address.",
    404: "the Hub knows no {name}, or not for you: is the owner's name right?",
    409: "somebody else is changing {name}: nothing was changed by you, give the same command "
    "again.",
    412: "{name} was changed while this went up: nothing was changed by you, give the same "
    "command again.",
    413: "the Hub finds this too large ({message}): publish fewer files.",
    429: "the Hub asks to wait {wait}: give the same command again then.",
}
TROUBLE = "the Hub has trouble ({status}): {name} is as it was, give the same command again later."
CUT = "the connection to the Hub broke off: {name} is as it was, give the same command again."


@contextmanager
def sentences(name: str) -> Iterator[None]:
    """Turn errors of the Hub or the network into a ValueError with one message."""
    try:
        yield
    except LocalTokenNotFoundError:
        raise ValueError(
            f"you are not logged in: `hf auth login`, with a token of {TOKENS}."
        ) from None
    except HfHubHTTPError as problem:
        raise ValueError(refusal(problem, name)) from None
    except HFValidationError as problem:
        raise ValueError(f"the Hub takes no such name: {first_line(problem)}") from None
    except (ValueError, KeyboardInterrupt):
        raise
    except Exception as problem:  # of the library, of the one below it, and of its threads
        cause = problem.__cause__
        if isinstance(cause, HfHubHTTPError):
            raise ValueError(refusal(cause, name)) from None
        raise ValueError(CUT.format(name=name)) from None


def refusal(problem: HfHubHTTPError, name: str) -> str:
    """The message for an answer that is an error."""
    answer = problem.response
    status = answer.status_code
    wait = answer.headers.get("retry-after", "")
    said = TROUBLE if status >= 500 else REFUSED.get(status, TROUBLE)
    return said.format(
        name=name,
        status=status,
        message=(problem.server_message or "no reason given").strip().rstrip("."),
        wait=f"{wait} seconds" if wait.isdigit() else "some minutes",
    )


def check_login(api: HfApi, name: str) -> str:
    """The account that is logged in; ValueError if nobody is logged in or it cannot write."""
    with sentences(name):
        account = api.whoami()
    rights = account.get("auth", {}).get("accessToken", {}).get("role")
    if rights == "read":
        raise ValueError(f"your token can only read: make one with the right to write at {TOKENS}.")
    return str(account["name"])


def check_model(api: HfApi, model: str) -> None:
    """ValueError if a Space's model is not on the Hub yet."""
    with sentences(model):
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
    """Make the repository as it is staged, in one commit; the commit's id.

    Args:
        kind: "model" or "space".
        hardware: of a Space that does not exist yet; None for a static one.
    """
    with sentences(name):
        gradio = {"space_sdk": "gradio", "space_hardware": hardware}
        space = {} if kind == "model" else gradio if hardware else {"space_sdk": "static"}
        api.create_repo(name, repo_type=kind, private=private, exist_ok=True, **space)
        before = api.repo_info(name, repo_type=kind)
        there = set(api.list_repo_files(name, repo_type=kind, revision=before.sha))
        gone = [path for path in there - set(staging.files) if path.startswith(OURS)]
        added = [
            CommitOperationAdd(path, given(content))
            for path, content in sorted(staging.files.items())
        ]
        say(f"{len(added)} files go to {api.endpoint}/{'spaces/' if kind == 'space' else ''}{name}")
        commit = api.create_commit(
            name,
            [*added, *map(CommitOperationDelete, sorted(gone))],
            repo_type=kind,
            commit_message="Published with Inkling",
            parent_commit=before.sha,
        )
        return str(commit.oid)


def given(content: Path | str | bytes) -> str | bytes:
    """Return a file as huggingface_hub takes it: its local path, or its bytes."""
    if isinstance(content, Path):
        return str(content)
    return content.encode() if isinstance(content, str) else content


def wait_until_it_runs(api: HfApi, name: str, commit: str, say: Say, *, poll: float = POLL) -> str:
    """Follow a Space's build; the address at which it runs.

    Raises:
        ValueError: it does not build or start; with the end of its log.
    """
    began, last = time.monotonic(), ""
    while time.monotonic() - began < 60 * BUILD_MINUTES:
        with sentences(name):
            runtime = api.get_space_runtime(name)
        stage, runs = str(runtime.stage).rsplit(".", 1)[-1], runtime.raw.get("sha")
        if stage != last:
            say(f"{time.monotonic() - began:5.0f} s  {stage.lower().replace('_', ' ')}")
            last = stage
        if stage == "RUNNING" and runs in (commit, None):
            with sentences(name):
                return str(api.space_info(name).host)
        if stage in ("PAUSED", "SLEEPING"):
            raise ValueError(
                f"{name} is {stage.lower()}, and its new files are there: wake it at "
                f"{api.endpoint}/spaces/{name}."
            )
        if stage not in BUILDING and stage != "RUNNING":
            raise ValueError(
                f"{name} does not run ({stage.lower().replace('_', ' ')}): "
                f"{end_of_log(api, name, 'BUILD' in stage)} See {api.endpoint}/spaces/{name}."
            )
        time.sleep(poll)
    raise ValueError(
        f"{name} was not there after {BUILD_MINUTES} minutes; it may still come: "
        f"{api.endpoint}/spaces/{name}."
    )


def end_of_log(api: HfApi, name: str, build: bool) -> str:
    """The last lines of a Space's log, in one."""
    try:
        lines = [line.strip() for line in api.fetch_space_logs(name, build=build)]
    except Exception:  # whatever is wrong with the log, the Space is what matters
        return "its log could not be read."
    return " / ".join(line for line in lines[-LOG_LINES:] if line) or "its log is empty."


def page_once(host: str, *, private: bool, timeout: float = 120) -> str:
    """The model that a static Space's page names; ValueError if there is no page of ours."""
    asked = urllib.request.Request(f"{host.rstrip('/')}/start.json", None, token_for(host, private))
    try:
        with urllib.request.urlopen(asked, timeout=timeout) as answer:
            return str(json.load(answer)["models"][0]["name"])
    except (OSError, KeyError, IndexError, ValueError) as problem:
        why = first_line(problem)
        raise ValueError(f"the Space is there, but its page does not answer ({why}).") from None


def token_for(host: str, private: bool) -> dict[str, str]:
    """The header that a private Space asks for; the token is for the Hub only."""
    if private and urlsplit(host).netloc.endswith(".hf.space"):
        return {"Authorization": f"Bearer {get_token()}"}
    return {}


def ask_once(host: str, *, private: bool, timeout: float = 120) -> str:
    """The story that a Space answers with; ValueError if it answers with none."""
    address = f"{host.rstrip('/')}/gradio_api/call/v2/generate"
    headers = {"Content-Type": "application/json"} | token_for(host, private)
    wish = {"prompt": "Once upon a time", "length": 8, "seed": 1}
    try:
        asked = urllib.request.Request(address, json.dumps(wish).encode(), headers)
        with urllib.request.urlopen(asked, timeout=timeout) as answer:
            event = json.load(answer)["event_id"]
        read = urllib.request.Request(f"{address}/{event}", None, headers)
        with urllib.request.urlopen(read, timeout=timeout) as answer:
            events = answer.read().decode()
    except (OSError, KeyError, ValueError) as problem:
        why = first_line(problem)
        raise ValueError(f"the Space runs, but its API does not answer ({why}).") from None
    data = [line[6:] for line in events.splitlines() if line.startswith("data: ")]
    if "event: complete" not in events or not data:
        raise ValueError("the Space runs, but its API wrote no story: look at its log.")
    return str(json.loads(data[-1])[0])
