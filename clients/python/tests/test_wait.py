"""Waiting: over drops, bookmarks and versions that are too old, to the end of the object."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from wire import JOBS, Answer, Json, Server, bookmark, events, job, status

from autoai_client import (
    Access,
    ApiError,
    Client,
    FailedError,
    ProgressLine,
    Resource,
    StalledError,
    UnreachableError,
    WaitTimeoutError,
)

CHURN = f"{JOBS}/churn"


def versions(server: Server) -> list[str]:
    """Where each watch began."""
    return [one.query["resourceVersion"] for one in server.asked("GET", JOBS)]


def test_a_watch_of_this_object_alone_leads_to_its_end(server: Server, client: Client) -> None:
    server.on("GET", CHURN, Answer(body=job(5)))
    done = job(7, "READY", model={"finalScore": "0.91", "digest": "d"}, baselineScore="0.8")
    server.on("GET", JOBS, Answer(chunks=events(("MODIFIED", job(6)), ("MODIFIED", done))))
    seen: list[Resource] = []
    ready = client.wait("churn", progress=seen.append)
    assert (ready.state, ready.score, ready.baseline_score) == ("READY", 0.91, 0.8)
    assert [one.version for one in seen] == ["5", "6", "7"]
    [watch] = server.asked("GET", JOBS)
    assert watch.query["fieldSelector"] == "metadata.name=churn"
    assert (watch.query["watch"], watch.query["allowWatchBookmarks"]) == ("true", "true")
    assert watch.headers["authorization"] == "Bearer mine"


def test_a_watch_that_is_cut_goes_on_from_the_last_version_seen_bookmarks_included(
    server: Server, client: Client
) -> None:
    server.on("GET", CHURN, Answer(body=job(5)))
    server.on(
        "GET",
        JOBS,
        Answer(chunks=events(("MODIFIED", job(6))), cut=True),
        Answer(chunks=[*events(bookmark(9)), b'{"type": "MODIFIED", "obj'], cut=True),
        Answer(503, status(503, "ServiceUnavailable", "the server is starting")),
        Answer(chunks=[]),
        Answer(chunks=events(("MODIFIED", job(12, "READY")))),
    )
    assert client.wait("churn", progress=False).version == "12"
    assert versions(server) == ["5", "6", "9", "9", "9"]
    assert len(server.asked("GET", CHURN)) == 1


def test_events_that_come_in_pieces_are_read_whole(server: Server, client: Client) -> None:
    server.on("GET", CHURN, Answer(body=job(5)))
    text = b"".join(events(("MODIFIED", job(6)), ("MODIFIED", job(7, "READY"))))
    server.on("GET", JOBS, Answer(chunks=[text[start : start + 7] for start in range(0, len(text), 7)]))
    assert client.wait("churn", progress=False).version == "7"


@pytest.mark.parametrize("answered", ["event", "status"])
def test_a_version_that_is_too_old_is_read_anew(server: Server, client: Client, answered: str) -> None:
    gone = status(410, "Expired", "too old resource version: 5 (9)")
    old = Answer(chunks=events(("ERROR", gone))) if answered == "event" else Answer(410, gone)
    server.on("GET", CHURN, Answer(body=job(5)), Answer(body=job(20, "READY")))
    server.on("GET", JOBS, old)
    assert client.wait("churn", progress=False).version == "20"


def test_who_may_get_but_not_watch_looks_again_and_again(server: Server, client: Client) -> None:
    server.on("GET", CHURN, Answer(body=job(5)), Answer(body=job(6)), Answer(body=job(7, "READY")))
    server.on("GET", JOBS, Answer(403, status(403, "Forbidden", "may not watch")))
    assert client.wait("churn", progress=False).version == "7"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([Answer(404, status(404, "NotFound", "no such job"))], "NotFound"),
        ([Answer(403, status(403, "Forbidden", "may not get"))], "Forbidden"),
        ([Answer(401, status(401, "Unauthorized", "Unauthorized"))], "Unauthorized"),
    ],
)
def test_what_will_not_pass_is_raised_at_once(
    server: Server, client: Client, answers: list[Answer], reason: str
) -> None:
    server.on("GET", CHURN, *answers)
    with pytest.raises(ApiError) as raised:
        client.wait("churn", progress=False)
    assert raised.value.reason == reason


def test_a_server_that_never_answered_is_not_waited_for(
    server: Server, client: Client, access: Access
) -> None:
    with pytest.raises(UnreachableError):
        Client(replace(access, server="http://127.0.0.1:9")).wait("churn", progress=False)
    server.on("GET", CHURN, Answer(503, status(503, "ServiceUnavailable", "the server is starting")))
    with pytest.raises(ApiError, match="the server is starting"):
        client.wait("churn", progress=False)


def test_a_job_that_is_deleted_meanwhile_is_not_waited_for(server: Server, client: Client) -> None:
    server.on("GET", CHURN, Answer(body=job(5)))
    server.on("GET", JOBS, Answer(chunks=events(("DELETED", job(6)))))
    with pytest.raises(ApiError, match="churn was deleted") as raised:
        client.wait("churn", progress=False)
    assert raised.value.reason == "NotFound"


def conditions(reason: str, message: str) -> list[Json]:
    return [
        {"type": "Ready", "status": "False", "reason": reason, "message": message},
        {"type": "Stalled", "status": "True", "reason": reason, "message": message},
    ]


@pytest.mark.parametrize(("state", "error"), [("ERROR", FailedError), ("TRAINING", StalledError)])
def test_what_ends_badly_and_what_needs_somebody_say_why(
    server: Server, client: Client, state: str, error: type[FailedError | StalledError]
) -> None:
    stalled = job(5, state, conditions=conditions("ConfigMapNotFound", "there is no ConfigMap rows"))
    server.on("GET", CHURN, Answer(body=stalled))
    with pytest.raises(error, match="there is no ConfigMap rows") as raised:
        client.wait("churn", progress=False)
    assert (raised.value.reason, raised.value.resource.name) == ("ConfigMapNotFound", "churn")


def test_a_deployment_is_ready_when_its_present_form_is(server: Server, client: Client) -> None:
    path = "/apis/autoai.dev/v1alpha1/namespaces/other/modeldeployments"

    def deployment(version: int, observed: int) -> Json:
        ready = {"type": "Ready", "status": "True", "observedGeneration": observed}
        metadata = {"name": "d", "namespace": "other", "resourceVersion": str(version), "generation": 2}
        return {"kind": "ModelDeployment", "metadata": metadata, "status": {"conditions": [ready]}}

    server.on("GET", f"{path}/d", Answer(body=deployment(5, 1)))
    server.on("GET", path, Answer(chunks=events(("MODIFIED", deployment(6, 2)))))
    assert client.wait("other/d", "ModelDeployment", progress=False).version == "6"


def test_it_ends_when_the_time_is_over(server: Server, client: Client) -> None:
    server.on("GET", CHURN, Answer(body=job(5)))
    server.on("GET", JOBS, Answer(chunks=[]))
    with pytest.raises(WaitTimeoutError, match="TRAINING"):
        client.wait("churn", timeout=0.05, progress=False)


def test_progress_is_a_line_for_each_change_where_nothing_can_be_rewritten() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream)
    progress = {"step": 2, "maxSteps": 30, "activity": "running train.py"}
    training = Resource(job(5, progress=progress, bestCandidate={"verifiedScore": "0.8123"}))
    for one in (training, training, Resource(job(6, "READY", model={"finalScore": "0.9"}))):
        line(one)
    line.close()
    assert stream.getvalue() == (
        "TrainingJob team/churn · TRAINING · step 2/30 · score 0.8123 · running train.py\n"
        "TrainingJob team/churn · READY · score 0.9\n"
    )


def test_progress_rewrites_a_line_of_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    line = ProgressLine(stream)
    line(Resource(job(5, progress={"activity": "a long activity"})))
    line(Resource(job(6, "READY")))
    line.close()
    shown = stream.getvalue().split("\r")
    assert len(shown) == 3
    assert shown[2].rstrip() == "TrainingJob team/churn · READY"
    assert len(shown[2].rstrip("\n")) == len(shown[1])
