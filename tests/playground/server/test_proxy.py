"""Behind a real nginx, with the configurations of docs/proxy.md: the publish page is closed, and
link, code, file and preview lead to the address that the visitor sees."""

from __future__ import annotations

import html
import io
import json
import os
import re
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from PIL import Image

from playground.engine.engine import Engine
from playground.server.owner import Owner
from tests.links import link_of
from tests.paths import ROOT
from tests.processes import free_port

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
SET_UPS = ("host kept", "host not kept", "below a path", "tls", "bare")
MAIN = """
daemon off; pid {folder}/pid; error_log {folder}/errors; worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        NGINX is None and os.environ.get("CI") != "true", reason="nginx is not installed"
    ),
]


def locations() -> list[str]:
    """The configurations that the how-to shows: of a host of its own, and below a path."""
    return re.findall(
        r"```nginx\n(.*?)```", (ROOT / "docs/proxy.md").read_text(encoding="utf-8"), re.S
    )


@pytest.fixture(scope="module")
def fronts(proxied: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The addresses of one nginx, by set-up."""
    assert NGINX, "nginx is missing: apt-get install nginx"
    folder = tmp_path_factory.mktemp("nginx")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    whole, below = locations()
    certificate = f"ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;"
    kinds = {
        "host kept": whole,
        "host not kept": whole.replace("proxy_set_header Host $http_host;", ""),
        "below a path": below,
        "tls": certificate + whole,
        "bare": "location / { proxy_pass http://127.0.0.1:7860; }",
    }
    addresses, servers = {}, ""
    for name, content in kinds.items():
        port, tls = free_port(), name == "tls"
        servers += f"server {{ listen 127.0.0.1:{port}{' ssl' * tls};\n{content}}}\n"
        path = "inkling/" if name == "below a path" else ""
        addresses[name] = f"http{'s' * tls}://127.0.0.1:{port}/{path}"
    servers = servers.replace("http://127.0.0.1:7860", proxied.rstrip("/"))
    config = folder / "nginx.conf"
    config.write_text(MAIN.format(folder=folder, servers=servers))
    with subprocess.Popen([NGINX, "-c", config, "-e", folder / "errors", "-p", folder]) as nginx:
        deadline = time.monotonic() + 30
        while not (folder / "pid").exists():  # it listens before it writes this
            assert nginx.poll() is None, (folder / "errors").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        try:
            yield addresses
        finally:
            nginx.terminate()


def get(address: str, *, data: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Status and body of an answer; the certificate is our own."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        asked = urllib.request.Request(address, data, names)
        with urllib.request.urlopen(asked, context=trusting) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read()


@pytest.mark.parametrize("name", SET_UPS)
def test_nobody_publishes_through_a_proxy(fronts: dict[str, str], owner: Owner, name: str) -> None:
    front = fronts[name]
    assert json.loads(get(f"{front}web/start.json")[1])["owner"] is False
    body = b'{"kind": "model", "name": "a/b", "export": ".", "dry_run": true}'
    post = {"data": body, "X_Inkling_Publish": "1"}
    for path, options in (
        ("publish", {}), ("publish/state", {}), ("publish/page.js", {}),
        ("publish/start", post), ("publish/login", post),
    ):  # fmt: skip
        status, content = get(f"{front}{path}", **options)
        assert status == 403, path
        assert len(json.loads(content)["detail"].split(". ")) == 1
    if name != "bare":  # a proxy that adds nothing is not seen: there the key alone protects
        assert get(f"{front}publish?key={owner.key}")[0] == 403


@pytest.mark.parametrize("name", SET_UPS[:4])
def test_link_and_preview_lead_to_the_same_address(
    fronts: dict[str, str], engine: Engine, name: str
) -> None:
    front = fronts[name]
    link = link_of(engine.encode("Once"))
    here = f"{front}s/{link}"
    status, page = get(front)
    assert status == 200 and f'content="{front}web/preview.png"' in page.decode()
    assert json.loads(get(f"{front}web/start.json")[1])["address"] == f"{front}s/"
    assert json.loads(get(f"{front}config")[1])["root"] == front.rstrip("/")
    preview = get(here)[1].decode()
    tags = dict(re.findall(r'<meta (?:property|name)="([\w:]+)" content="([^"]*)"', preview))
    assert html.unescape(tags["og:url"]) == here
    assert tags["og:image"] == f"{here}/picture.png"
    assert Image.open(io.BytesIO(get(tags["og:image"])[1])).size == (1200, 630)
    call = f"{front}gradio_api/call/v2/candidates"
    request = json.dumps({"prompt": "Once", "count": 1}).encode()
    status, answer = get(call, data=request, Content_Type="application/json")
    assert status == 200, answer
    assert b"event: complete" in get(f"{call}/{json.loads(answer)['event_id']}")[1]
