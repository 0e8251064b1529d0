"""Opens the playground in a browser: `python app.py`, on a desktop and on a Space alike.

It reads the command line, opens the models, and hands the page to Gradio. Notable decisions:
nothing is sent anywhere and nothing is fetched (no telemetry, no fonts; of the Hub only a model
that is asked for by its name), so it works without a network; the port is tried before the model
is read, so that a slip is told at once; Gradio is imported late, so that `--help` and a missing
Gradio are answered with one message.
"""

import argparse
import contextlib
import ctypes
import gc
import importlib.metadata
import ipaddress
import json
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playground.command_line import Parser

if TYPE_CHECKING:
    from playground.engine.engine import Engine

M_MMAP_THRESHOLD = -3  # of malloc.h
ROOT = Path(__file__).resolve().parent
ON_SPACE = "SPACE_ID" in os.environ

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # Gradio reads it when it is imported
# After every event Gradio sums up the last 10,000 of them with pandas, for a page not shown here.
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "100"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)


def port(text: str) -> int:
    """Return a port number; ArgumentTypeError for anything else."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 1 to 65535")
    return int(text)


def gigabytes(text: str) -> float:
    """Return an amount of memory; ArgumentTypeError for anything else."""
    try:
        amount = float(text)
    except ValueError:
        amount = 0.0
    if not 0 < amount < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount: give gigabytes, such as 4")
    return amount


def proxies(text: str) -> str:
    """Addresses and networks, or "*"; ArgumentTypeError for anything else."""
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            if text.strip() != "*":
                ipaddress.ip_network(part)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{part!r} is not an address or a network: give 127.0.0.1 or 10.0.0.0/8, or '*'"
            ) from None
    return text.strip()


def command_line(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(
        description="Open the playground: a page on which a small language model writes stories.",
        epilog="Ctrl+C closes it.",
    )
    parser.add_argument(
        "--model",
        metavar="DIR",
        action="append",
        help="model folder to open, or a model's name on the Hub; give it several times to choose "
        "among them on the page (default: the newest export under runs/, else models/storyteller)",
    )
    parser.add_argument(
        "--snapshots",
        metavar="DIR",
        help="snapshots of the first model; the page shows how the model learned to write "
        "(default: those of its run, if it is in a run's folder)",
    )
    parser.add_argument(
        "--base",
        metavar="DIR",
        help="the model under a LoRA adapter (default: the one that the adapter names)",
    )
    parser.add_argument(
        "--memory",
        metavar="GB",
        type=gigabytes,
        help="memory for the stories of all models; limits how many are written at once and how "
        "long their context is (default: half of the free memory)",
    )
    parser.add_argument(
        "--trace",
        metavar="DIR",
        type=Path,
        help="a store with an index (python -m trainer.corpus index STORE): the page shows which "
        "parts of a story are copied from it (default: the model's training store, else the "
        "filter in the model's folder)",
    )
    parser.add_argument(
        "--device",
        default="auto",
        help="auto, cpu or cuda (default: a usable NVIDIA GPU if there is one)",
    )
    parser.add_argument(
        "--host",
        default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        help="address to listen on; 0.0.0.0 lets other machines in (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=port,
        default=os.environ.get("GRADIO_SERVER_PORT") or os.environ.get("PORT"),
        help="port to listen on (default: the variable GRADIO_SERVER_PORT or PORT, "
        "else the first free one from 7860)",
    )
    parser.add_argument(
        "--forwarded-allow-ips",
        metavar="LIST",
        type=proxies,
        default=os.environ.get("FORWARDED_ALLOW_IPS"),
        help="addresses and networks of the proxies in front of the page, separated by commas, as "
        "uvicorn takes them; '*' is every one. The page trusts their X-Forwarded-For, -Proto, "
        "-Host and -Prefix, so name only a proxy that sets all four itself (docs/proxy.md). "
        "Unlike uvicorn, the page does not trust this machine unless you name it (default: the "
        "variable FORWARDED_ALLOW_IPS, else none)",
    )
    parser.add_argument(
        "--share",
        action="store_true",
        help="also make a public link to this page, valid for a week",
    )
    parser.add_argument(
        "--mcp",
        action="store_true",
        help="also serve AI assistants through the Model Context Protocol (needs the package mcp)",
    )
    parser.add_argument(
        "--runs",
        metavar="DIR",
        type=Path,
        default=ROOT / "runs",
        help="folder of the runs that the page shows and starts (default: runs)",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    return parser.parse_args(argv)


def default_model() -> Path | str:
    """On a Space the Hub's model that space.json names; else the newest export under runs/, else
    the shipped model; ValueError if none of them exists."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((ROOT / "space.json").read_text(encoding="utf-8"))["model"])
    from playground.folder.exports import exports

    for folder in exports(ROOT):
        return folder
    raise ValueError(
        "there is no model to open: name a folder with --model DIR, or train one with `make train`."
    )


def check_address(host: str, number: int) -> None:
    """ValueError if no server can listen there."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), number, type=socket.SOCK_STREAM)
        family, *_, address = found[0]
        socket.create_server(address[:2], family=family).close()
    except socket.gaierror:
        raise ValueError(
            f"there is no address {host!r} on this machine: choose another --host."
        ) from None
    except OSError as problem:
        reason = os.strerror(problem.errno or 0).lower()
        raise ValueError(
            f"port {number} on {host} cannot be used ({reason}): choose another with --port."
        ) from None


def check_mcp() -> None:
    """ValueError without the package that --mcp needs; Gradio would leave it out in silence."""
    try:
        version = importlib.metadata.version("mcp")
    except importlib.metadata.PackageNotFoundError:
        version = ""
    if not version.startswith("1."):
        found = f"and mcp {version} is installed" if version else "which is not installed"
        raise ValueError(f"--mcp needs the package mcp 1.x, {found}: pip install 'mcp<2'.")


def has_screen() -> bool:
    return sys.platform != "linux" or not {"DISPLAY", "WAYLAND_DISPLAY"}.isdisjoint(os.environ)


PUBLIC = (
    "--share: for a week, or until Ctrl+C, everybody who has the address that follows can write "
    "stories with this model on this computer, and share them. They see nothing else of it; what "
    "they type passes through Gradio's server in between."
)


def say_where(url: str, others: list[str]) -> None:
    """Print where the page is, and for others on the network a code for their phones."""
    print(f"Inkling is open at {url} (Ctrl+C closes it).", flush=True)
    if others and not ON_SPACE:
        from playground.stories import qr

        print(f"Others on this network open {' or '.join(others)}", flush=True)
        with contextlib.suppress(UnicodeEncodeError):  # a terminal without blocks
            print(qr.terminal(others[0]), flush=True)


def is_private(options: argparse.Namespace) -> bool:
    """Return whether nobody but the person at this computer can reach the page."""
    from playground.server.network import LOCAL

    return options.host.strip("[]") in LOCAL and not options.share and not ON_SPACE


def trusted_proxies(options: argparse.Namespace) -> str:
    """Return the proxies that are believed: those that are named, else the one that is known to be
    there: the Hub's before a Space, which nobody passes by, and Gradio's tunnel on this machine."""
    if options.forwarded_allow_ips is not None:
        return str(options.forwarded_allow_ips)
    return "*" if ON_SPACE else "127.0.0.1,::1" if options.share else ""


def snapshots_in(name: str) -> Path:
    """Return the folder of snapshots of that name, or of a run; ValueError if it has none."""
    from playground.folder.snapshots import FOLDER, read_snapshots

    for folder in (Path(name), Path(name, FOLDER)):
        if read_snapshots(folder):
            return folder
    raise ValueError(f"--snapshots {name} has no snapshots: name a run, or its folder snapshots/.")


def opened(
    options: argparse.Namespace, names: Sequence[str | Path], closing: contextlib.ExitStack
) -> dict[str, "Engine"]:
    """Return the models by the names that they go by on the page; `closing` ends them."""
    from playground.engine.engine import Engine
    from playground.folder.device import introduction
    from playground.folder.model_folder import ModelFolder

    engines: dict[str, Engine] = {}
    for named in names:
        storyteller = ModelFolder.open(named, device=options.device, base=options.base)
        name = storyteller.facts.name
        memory = options.memory and int(options.memory * 1e9 / len(names))
        engines[f"{name} ({named})" if name in engines else name] = closing.enter_context(
            Engine(storyteller, memory=memory)
        )
    if options.snapshots:
        next(iter(engines.values())).storyteller.snapshots = snapshots_in(options.snapshots)
    print(introduction(storyteller.device, options.device), file=sys.stderr, flush=True)
    return engines


def tell_glibc(call: str, *arguments: int) -> None:
    """Call a function of malloc.h that only glibc has."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):
            getattr(ctypes.CDLL(None), call)(*arguments)


def serve(options: argparse.Namespace) -> None:
    """Opens the models and the page, and stays until Ctrl+C; ValueError if it cannot."""
    if options.port:
        check_address(options.host, options.port)
    names = options.model or [default_model()]
    if not ON_SPACE and all(map(os.path.isdir, names)):
        os.environ["HF_HUB_OFFLINE"] = "1"  # read by huggingface_hub when it is imported
    # A freed array is given back to the system, and the rest below: else some 120 MB stay taken.
    tell_glibc("mallopt", M_MMAP_THRESHOLD, 2**20)
    gc.disable()  # what is loaded now stays; looking through it takes a tenth of the start
    try:
        if "SPACES_ZERO_GPU" in os.environ:
            import spaces  # noqa: F401, it must come before Gradio and PyTorch
        import gradio  # noqa: F401
    except ModuleNotFoundError:
        raise ValueError(
            'Gradio is not installed: run `pip install -c constraints.txt -e ".[play]"`.'
        ) from None
    if options.mcp:
        check_mcp()
    from playground.server import network, site, write
    from playground.server.shared import SharedStories

    with contextlib.ExitStack() as closing:
        engines = opened(options, names, closing)
        page = write.build(engines, options.trace)
        closing.callback(page.close, verbose=False)
        if options.share:
            print(PUBLIC, file=sys.stderr, flush=True)
        start, shared = write.start(engines), SharedStories(engines)
        places, owner = [], None
        if is_private(options):
            from playground.publish.page import PublishPage
            from playground.runs.endpoints import Studio
            from playground.server import places as documents
            from playground.server.owner import Owner

            owner = Owner()
            folders = [engine.storyteller.folder for engine in engines.values()]
            studio = Studio(options.runs, owner, engines, start, options.device)
            closing.callback(studio.close)
            publishing = PublishPage(folders, owner, options.runs).routes
            places = [*documents.routes(owner), *publishing, *studio.routes]
        url, public_url = site.launch(
            page,
            start,
            [*shared.routes, *places],
            host=options.host,
            owner=owner,
            trusted=trusted_proxies(options),
            server_port=options.port,
            share=options.share,
            mcp_server=options.mcp,
        )
        tell_glibc("malloc_trim", 0)
        gc.freeze()  # or the collector goes through all loaded libraries again while people read
        gc.enable()
        others = network.urls(options.host.strip("[]"), urlsplit(url).port or 80)
        # Links lead where others reach the page, though it is open as localhost here.
        start["public"] = shared.public_url = public_url or next(iter(others), None)
        opens = public_url or (f"{url}?key={owner.key}" if owner else url)
        say_where(opens, others)
        if not options.no_browser and not ON_SPACE and has_screen():
            webbrowser.open(opens)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


def main() -> None:
    try:
        serve(command_line())
    except ValueError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
