"""The courier's requests: tried again with an end to it, and never naming a grant."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from autoai_runner.store import Failure, Store, fetch


class Server:
    """Answers with the statuses it is given, then with 200 and `content`."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.cut = False
        self.asked: list[tuple[str, str, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                sent = {**{name.lower(): value for name, value in self.headers.items()}}
                outer.asked.append((self.command, sent.get("if-none-match", ""), self.rfile.read(length)))
                status = outer.statuses.pop(0) if outer.statuses else 200
                body = b"content" if status == 200 else b"<Error><Code>Because</Code></Error>"
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:3] if outer.cut else body)
                outer.cut = False

            do_PUT = do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/bucket/key?X-Amz-Signature=secret"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


def test_a_busy_store_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.statuses = [503, 500]
    assert fetch(Store(), server.url, tmp_path / "file") == 7
    assert (tmp_path / "file").read_bytes() == b"content"


def test_an_answer_cut_in_the_middle_is_fetched_again_from_the_start(server: Server, tmp_path: Path) -> None:
    server.cut = True
    assert fetch(Store(), server.url, tmp_path / "file") == 7
    assert (tmp_path / "file").read_bytes() == b"content"


def test_patience_has_an_end_and_the_error_no_secret(server: Server, tmp_path: Path) -> None:
    server.statuses = [503] * 100
    with pytest.raises(Failure) as failure:
        fetch(Store(patience=0.2), server.url, tmp_path / "file")
    assert failure.value.reason == "StoreUnavailable"
    assert "503" in failure.value.message and "secret" not in str(failure.value)
    server.http.server_close()


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(Failure) as failure:
        fetch(Store(patience=0.1), "http://127.0.0.1:9/x?X-Amz-Signature=secret", tmp_path / "file")
    assert failure.value.reason == "StoreUnavailable"
    assert "refused" in failure.value.message and "secret" not in str(failure.value)


@pytest.mark.parametrize(("status", "reason"), [(403, "StoreRefused"), (404, "InputMissing")])
def test_a_refusal_is_not_tried_again(server: Server, tmp_path: Path, status: int, reason: str) -> None:
    server.statuses = [status]
    with pytest.raises(Failure) as failure:
        fetch(Store(), server.url, tmp_path / "file")
    assert failure.value.reason == reason
    assert len(server.asked) == 1 and "secret" not in str(failure.value)


def test_the_outcome_is_put_only_where_none_stands(server: Server) -> None:
    server.statuses = [200, 412]
    assert Store().create(server.url, b"first") is True
    assert Store().create(server.url, b"second") is False
    assert [(method, condition) for method, condition, _ in server.asked] == [("PUT", "*")] * 2


def test_a_form_holds_the_file_last_under_the_whole_key(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"tar")
    Store().post({"url": server.url, "fields": {"key": "below/", "policy": "p"}}, "a.tar", tmp_path / "file")
    body = server.asked[0][2]
    assert b'name="key"\r\n\r\nbelow/a.tar\r\n' in body
    assert body.index(b'name="policy"') < body.index(b'name="file"') < body.index(b"\r\n\r\ntar\r\n")
