"""A loopback server that speaks the Kubernetes wire for what the client uses.

The shapes are those of the API conventions and of answers of a real API server: Status with details.causes
for refusals, watch events as one JSON object a line in chunks, bookmarks, 410 as an ERROR event, a proxy
that passes on what a Service says.
"""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

JOBS = "/apis/autoai.dev/v1alpha1/namespaces/team/trainingjobs"
OPERATOR = "/api/v1/namespaces/autoai-system/services/http:autoai:8080/proxy"


@dataclass
class Request:
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass
class Answer:
    """What is answered: a body, or chunks, after which the connection may be cut."""

    code: int = 200
    body: Any = None
    chunks: Iterable[bytes] | None = None
    cut: bool = False
    headers: dict[str, str] = field(default_factory=dict)


Route = Callable[[Request], Answer]


class Quiet(ThreadingHTTPServer):
    """Says nothing of clients that leave, nor of connections that were cut as told."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Passes over it: a test that needs the answer fails by itself."""


class Server:
    """Answers by the first route whose method and path match; remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.routes: dict[tuple[str, str], Route] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                url = urlsplit(self.path)
                text = self.rfile.read(int(self.headers.get("content-length") or 0))
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                body = json.loads(text) if text else None
                request = Request(str(self.command), url.path, query, dict(self.headers.items()), body)
                outer.requests.append(request)
                route = outer.routes.get((request.method, request.path), not_found)
                outer.send(self, route(request))

            do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._http = Quiet(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    @staticmethod
    def send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        """Sends it as it is told."""
        handler.send_response(answer.code)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if answer.chunks is None:
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            if "content-type" not in answer.headers:
                handler.send_header("content-type", "application/json")
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
            return
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        for chunk in answer.chunks:
            handler.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            handler.wfile.flush()
        if answer.cut:
            handler.close_connection = True
            handler.connection.close()
        else:
            handler.wfile.write(b"0\r\n\r\n")

    def on(self, method: str, path: str, *answers: Answer | Route) -> None:
        """Answers in turn; the last one for good."""
        left = list(answers)

        def route(request: Request) -> Answer:
            answer = left.pop(0) if len(left) > 1 else left[0]
            return answer(request) if callable(answer) else answer

        self.routes[(method, path)] = route

    def asked(self, method: str, path: str) -> list[Request]:
        """The requests of that method and path."""
        return [one for one in self.requests if (one.method, one.path) == (method, path)]

    def close(self) -> None:
        """Ends it."""
        self._http.shutdown()
        self._http.server_close()


def not_found(request: Request) -> Answer:
    """As the API server says it."""
    name = request.path.rpartition("/")[2]
    return Answer(404, status(404, "NotFound", f'trainingjobs.autoai.dev "{name}" not found'))


def status(code: int, reason: str, message: str, causes: list[Json] | None = None) -> Json:
    """A Status of a failure."""
    details = {"details": {"causes": causes}} if causes else {}
    base = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return {**base, "message": message, "reason": reason, **details, "code": code}


def job(version: int = 1, state: str = "TRAINING", name: str = "churn", **more: Any) -> Json:
    """A TrainingJob with the conditions of that state."""
    ready = {"READY": "True", "ERROR": "False"}.get(state, "Unknown")
    stalled = "True" if state == "ERROR" else "False"
    return {
        "apiVersion": "autoai.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {
            "name": name,
            "namespace": "team",
            "uid": "u-1",
            "resourceVersion": str(version),
            "generation": 1,
        },
        "spec": {"target": "Churn"},
        "status": {
            "state": state,
            "conditions": [
                {"type": "Ready", "status": ready, "reason": "RunTool", "message": "running"},
                {"type": "Stalled", "status": stalled, "reason": "RunTool", "message": ""},
            ],
            **more,
        },
    }


def events(*objects: tuple[str, Json]) -> list[bytes]:
    """Watch events, a chunk each."""
    return [json.dumps({"type": kind, "object": one}).encode() + b"\n" for kind, one in objects]


def bookmark(version: int) -> tuple[str, Json]:
    """What tells of a version and of nothing else."""
    return ("BOOKMARK", {"kind": "TrainingJob", "metadata": {"resourceVersion": str(version)}})


FILES = {"trained_model.joblib": b"weights" * 1000, "recipe/train.py": b"fit()\n", "lock.txt": b""}


def manifest(files: Mapping[str, bytes] = FILES) -> bytes:
    """The model.json that names these files."""
    named = {path: {"sha256": sha256(body).hexdigest(), "size": len(body)} for path, body in files.items()}
    return json.dumps({"name": "m", "files": named}).encode()


def package(entries: Iterable[tuple[str, bytes]]) -> bytes:
    """A tar of these entries, in their order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, body in entries:
            member = tarfile.TarInfo(path)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


def chunked(body: bytes, size: int = 1000) -> Iterator[bytes]:
    """In pieces."""
    return (body[start : start + size] for start in range(0, len(body), size))
