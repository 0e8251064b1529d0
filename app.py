"""Open the playground in a browser: `python app.py`, on a desktop or a Space.

The app reads the command line, opens the models, and serves the page by Gradio. It works offline
and sends nothing (no telemetry, no fonts; it downloads only a model given by its name on the Hub).
The port is checked before the model is read, so that a mistake is reported at once. Gradio is
imported late, so that `--help` is quick and a missing Gradio gives one error message.
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

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
# After every event Gradio sums up the last 10,000 events with pandas, for a page that is not used.
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "100"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)


def port(text: str) -> int:
    """Return a port number; ArgumentTypeError for an invalid text."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 1 to 65535")
    return int(text)


def gigabytes(text: str) -> float:
    """Return an amount of memory; ArgumentTypeError for an invalid text."""
    try:
        amount = float(text)
    except ValueError:
        amount = 0.0
    if not 0 < amount < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount: give gigabytes, such as 4")
    return amount


def proxies(text: str) -> str:
    """Return a list of addresses and networks, or "*"; ArgumentTypeError for an invalid text."""
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
    """Return the options of the command line."""
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
    """Return the model in space.json on a Space, else the newest export under runs/, else the
    shipped model; ValueError if none exists."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((ROOT / "space.json").read_text(encoding="utf-8"))["model"])
    from playground.folder.source import exports

    for folder in exports(ROOT):
        return folder
    raise ValueError(
        "there is no model to open: name a folder with --model DIR, or train one with `make train`."
    )


def check_address(host: str, number: int) -> None:
    """Raise ValueError if a server cannot listen on an address and port."""
    try:
        addresses = socket.getaddrinfo(host.strip("[]"), number, type=socket.SOCK_STREAM)
        family, *_, address = addresses[0]
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
    """Raise ValueError without the package for --mcp, which Gradio would silently leave out."""
    try:
        version = importlib.metadata.version("mcp")
    except importlib.metadata.PackageNotFoundError:
        version = ""
    if not version.startswith("1."):
        state = f"and mcp {version} is installed" if version else "which is not installed"
        raise ValueError(f"--mcp needs the package mcp 1.x, {state}: pip install 'mcp<2'.")


def has_screen() -> bool:
    """Return whether a browser window can be opened."""
    return sys.platform != "linux" or not {"DISPLAY", "WAYLAND_DISPLAY"}.isdisjoint(os.environ)


PUBLIC = (
    "--share: for a week, or until Ctrl+C, everybody with the following address can write stories "
    "with this model on this computer, and share them. They cannot see anything else of this "
    "computer; what they type passes through Gradio's server."
)


def print_addresses(url: str, others: list[str]) -> None:
    """Print the page's address, and for others on the network theirs, with a QR code for phones."""
    print(f"Inkling is open at {url} (Ctrl+C closes it).", flush=True)
    if others and not ON_SPACE:
        from playground.stories import qr

        print(f"Others on this network open {' or '.join(others)}", flush=True)
        with contextlib.suppress(UnicodeEncodeError):  # a terminal without block characters
            print(qr.terminal(others[0]), flush=True)


def is_private(options: argparse.Namespace) -> bool:
    """Return whether only the person at this computer can reach the page."""
    from playground.server.network import LOCAL

    return options.host.strip("[]") in LOCAL and not options.share and not ON_SPACE


def trusted_proxies(options: argparse.Namespace) -> str:
    """Return the trusted proxies: those of --forwarded-allow-ips, else the known ones: the Hub's in
    front of a Space, which cannot be bypassed, and Gradio's tunnel on this machine."""
    if options.forwarded_allow_ips is not None:
        return str(options.forwarded_allow_ips)
    return "*" if ON_SPACE else "127.0.0.1,::1" if options.share else ""


def snapshots_in(name: str) -> Path:
    """Return the folder of snapshots of that name, or of a run; ValueError without snapshots."""
    from playground.folder.history import SNAPSHOTS, read_snapshots

    for folder in (Path(name), Path(name, SNAPSHOTS)):
        if read_snapshots(folder):
            return folder
    raise ValueError(f"--snapshots {name} has no snapshots: name a run, or its folder snapshots/.")


def open_engines(
    options: argparse.Namespace, names: Sequence[str | Path], closing: contextlib.ExitStack
) -> dict[str, "Engine"]:
    """Open the models; return their engines by name on the page. `closing` closes them."""
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
    """Open the models and the page, and serve until Ctrl+C; ValueError if that is impossible."""
    if options.port:
        check_address(options.host, options.port)
    names = options.model or [default_model()]
    if not ON_SPACE and all(map(os.path.isdir, names)):
        os.environ["HF_HUB_OFFLINE"] = "1"  # read by huggingface_hub when it is imported
    # Freed arrays go back to the system (and with malloc_trim the rest): otherwise 120 MB stay.
    tell_glibc("mallopt", M_MMAP_THRESHOLD, 2**20)
    gc.disable()  # imports leave little garbage; collecting takes a tenth of the start
    try:
        if "SPACES_ZERO_GPU" in os.environ:
            import spaces  # noqa: F401, must be imported before Gradio and PyTorch
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
        engines = open_engines(options, names, closing)
        page, calls = write.build(engines, options.trace)
        closing.callback(page.close, verbose=False)
        if options.share:
            print(PUBLIC, file=sys.stderr, flush=True)
        start, shared = write.start(engines), SharedStories(engines)
        places, owner = [], None
        if is_private(options):
            from playground.publish.page import PublishPage
            from playground.runs.endpoints import Studio
            from playground.server.owner import Owner

            owner = Owner()
            folders = [engine.storyteller.folder for engine in engines.values()]
            studio = Studio(options.runs, owner, engines, start, options.device)
            closing.callback(studio.close)
            publishing = PublishPage(folders, owner, options.runs).routes
            places = [*publishing, *studio.routes]
        url, public_url = site.launch(
            page,
            start,
            [calls, *shared.routes, *places],
            host=options.host,
            owner=owner,
            trusted=trusted_proxies(options),
            server_port=options.port,
            share=options.share,
            mcp_server=options.mcp,
        )
        tell_glibc("malloc_trim", 0)
        gc.freeze()  # or later collections would traverse all loaded libraries
        gc.enable()
        others = network.urls(options.host.strip("[]"), urlsplit(url).port or 80)
        # Links have the address by which others reach the page, although localhost is open here.
        start["public"] = shared.public_url = public_url or next(iter(others), None)
        address = public_url or (f"{url}?key={owner.key}" if owner else url)
        print_addresses(address, others)
        if not options.no_browser and not ON_SPACE and has_screen():
            webbrowser.open(address)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


def main() -> None:
    """Run the command; exit with 2 after an error message."""
    try:
        serve(command_line())
    except ValueError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
