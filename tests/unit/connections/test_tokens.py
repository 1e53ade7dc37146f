"""OAUTHBEARER tokens: from a file, and from an endpoint on this machine."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from connections.secret import Secret
from connections.tls import TlsFiles
from connections.tokens import EndpointTokens, FileTokens, TokenEndpoint
from schemas.errors import AccessDenied

Answer = tuple[int, dict[str, str], bytes]
Serve = Callable[[list[Answer]], tuple[str, list[tuple[str, str, str]]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts an endpoint that gives these answers; returns its address, and what it was asked."""
    servers: list[HTTPServer] = []

    def start(answers: list[Answer]) -> tuple[str, list[tuple[str, str, str]]]:
        asked: list[tuple[str, str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                asked.append((self.path, self.headers["Authorization"], body))
                code, headers, content = answers[min(len(asked), len(answers)) - 1]
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/token", asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def tokens(url: str) -> EndpointTokens:
    return EndpointTokens(TokenEndpoint(url, "client:1", Secret("s e"), "kafka"), TlsFiles())


async def test_a_token_is_asked_for_once_while_it_lives(serve: Serve) -> None:
    url, asked = serve([(200, {}, b'{"access_token": "one", "expires_in": 60}')])
    provider = tokens(url)
    assert [await provider.token() for _ in range(3)] == ["one"] * 3
    (request,) = asked
    assert request == (
        "/token",
        "Basic " + base64.b64encode(b"client%3A1:s%20e").decode(),
        "grant_type=client_credentials&scope=kafka",
    )


async def test_an_expired_token_is_renewed(serve: Serve) -> None:
    url, _ = serve([(200, {}, b'{"access_token": "one", "expires_in": 0}'), (200, {}, b'{"access_token": "two"}')])
    provider = tokens(url)
    assert [await provider.token() for _ in range(3)] == ["one", "two", "two"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((401, {}, b"s e"), "refuses client 'client:1'.*401"),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "refuses client.*302"),
        ((200, {}, b"<html>"), "without an access_token"),
        ((200, {}, b'{"access_token": "a\\u0001b"}'), "without an access_token"),
    ],
)
async def test_a_refusal_is_no_outage(serve: Serve, answer: Answer, message: str) -> None:
    url, _ = serve([answer])
    with pytest.raises(AccessDenied, match=message) as caught:
        await tokens(url).token()
    assert "s e" not in str(caught.value)


async def test_an_endpoint_that_is_away_is_an_outage(serve: Serve) -> None:
    url, _ = serve([(503, {}, b"")])
    with pytest.raises(OSError, match="answers 503"):
        await tokens(url).token()
    with pytest.raises(OSError, match="does not answer"):
        await tokens("http://127.0.0.1:1/").token()


async def test_a_token_in_a_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one\n")
    provider = FileTokens(Secret(file=path))
    assert await provider.token() == "one"
    path.write_text("two\n")
    assert await provider.token() == "two"
