"""What is sent, what comes back, and what is told of a refusal."""

from __future__ import annotations

import errno
import json
import resource
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas
import pytest
from wire import FILES, JOBS, OPERATOR, Answer, Json, Request, Server, chunked, job, manifest, package, status

from autoai_client import Access, ApiError, Client, ConfigError, DamagedPackageError, UnreachableError

ARTIFACTS = f"{OPERATOR}/artifacts/trainingjobs/team/churn"
CONFIG_MAP = "/api/v1/namespaces/team/configmaps/churn-rows"
DEPLOYMENT = "/apis/autoai.dev/v1alpha1/namespaces/team/modeldeployments/churn"
MODEL = "/api/v1/namespaces/team/services/http:churn:80/proxy/predict"


def echo(request: Request) -> Answer:
    """What was applied, as the API server has it then."""
    metadata = {"uid": "u-1", "resourceVersion": "1", **request.body["metadata"]}
    return Answer(body={**request.body, "metadata": metadata})


# apply


def test_apply_is_server_side_strict_and_into_the_clients_namespace(server: Server, client: Client) -> None:
    server.on("PATCH", f"{JOBS}/churn", echo)
    body = {"apiVersion": "autoai.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "churn"}}
    [applied] = client.apply(body)
    [request] = server.requests
    assert request.headers["content-type"] == "application/apply-patch+yaml"
    assert request.query == {"fieldManager": "autoai-client", "force": "false", "fieldValidation": "Strict"}
    assert (applied.namespace, request.body["metadata"]["namespace"]) == ("team", "team")


def test_apply_takes_the_documents_of_a_file_and_of_a_text(
    server: Server, client: Client, tmp_path: Path
) -> None:
    text = """
apiVersion: v1
kind: ConfigMap
metadata: {name: churn-rows}
data: {rows.csv: "a,b"}
---
apiVersion: autoai.dev/v1alpha1
kind: TrainingJob
metadata: {name: churn, namespace: team}
"""
    server.on("PATCH", CONFIG_MAP, echo)
    server.on("PATCH", f"{JOBS}/churn", echo)
    file = tmp_path / "job.yaml"
    file.write_text(text)
    for source in (text, file, str(file)):
        assert [one.kind for one in client.apply(source)] == ["ConfigMap", "TrainingJob"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}, "v1 Pod cannot be applied here"),
        ({"kind": "TrainingJob"}, "expected a manifest with apiVersion, kind and metadata"),
        ({"apiVersion": "v1", "kind": "Secret", "metadata": {}}, "a Secret has no metadata.name"),
        ([], "expected at least one manifest"),
    ],
)
def test_what_is_no_manifest_of_autoai_is_refused_before_anything_is_sent(
    server: Server, client: Client, source: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        client.apply(source)
    assert server.requests == []


def test_a_refusal_names_the_field_and_the_reason(server: Server, client: Client) -> None:
    causes = [
        {"reason": "FieldValueInvalid", "field": "spec.budget.maxSteps", "message": "must be at most 500"},
    ]
    message = 'TrainingJob.autoai.dev "churn" is invalid: spec.budget.maxSteps: must be at most 500'
    server.on("PATCH", f"{JOBS}/churn", Answer(422, status(422, "Invalid", message, causes)))
    with pytest.raises(ApiError) as raised:
        client.apply(
            {"apiVersion": "autoai.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "churn"}}
        )
    error = raised.value
    assert (error.code, error.reason, error.message) == (422, "Invalid", message)
    assert [(one.field, one.reason) for one in error.causes] == [
        ("spec.budget.maxSteps", "FieldValueInvalid")
    ]
    assert "spec.budget.maxSteps: must be at most 500" in str(error)


@pytest.mark.parametrize("name", ["..", "a/../b", ""])
def test_a_name_leads_nowhere_else(client: Client, name: str) -> None:
    path, plain = "team/" + name, name
    with pytest.raises((ValueError, ApiError)):
        client.get(path if plain else plain)


# train


def test_train_sends_a_small_csv_along_and_lets_it_go_with_the_job(
    server: Server, client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "Churn.csv"
    file.write_text("tenure,Churn\n1,yes\n")
    server.on("PATCH", CONFIG_MAP, echo)
    server.on("PATCH", f"{JOBS}/churn", echo)
    created = client.train(file, "Churn", metric="RocAuc", max_seconds=60, provider="Offline", suspend=True)
    assert created.name == "churn"
    first, applied, last = server.requests
    assert first.body["data"] == {"rows.csv": "tenure,Churn\n1,yes\n"}
    assert applied.body["spec"] == {
        "dataset": {"configMapKeyRef": {"name": "churn-rows", "key": "rows.csv"}},
        "target": "Churn",
        "suspend": True,
        "evaluation": {"metric": "RocAuc"},
        "budget": {"maxSeconds": 60},
        "llm": {"provider": "Offline"},
    }
    owner = {"apiVersion": "autoai.dev/v1alpha1", "kind": "TrainingJob", "name": "churn", "uid": "u-1"}
    assert last.body["metadata"]["ownerReferences"] == [owner]


def test_train_takes_addresses_frames_and_bytes_that_are_no_utf_8(
    server: Server, client: Client, tmp_path: Path
) -> None:
    class Frame:
        def to_csv(self, index: bool) -> str:
            assert index is False
            return "a,y\n1,2\n"

    for name in ("rows", "y", "odd"):
        server.on("PATCH", f"{JOBS}/{name}", echo)
        server.on("PATCH", f"/api/v1/namespaces/team/configmaps/{name}-rows", echo)
    client.train("s3://bucket/folder/rows.csv", "y")
    client.train(Frame(), "y")
    (tmp_path / "odd.csv").write_bytes(b"a,y\n\xe9,1\n")
    client.train(str(tmp_path / "odd.csv"), "y", api_key=("gemini", "apiKey"))
    bodies = [one.body for one in server.requests]
    assert bodies[0]["spec"]["dataset"] == {"uri": "s3://bucket/folder/rows.csv"}
    assert bodies[1]["data"] == {"rows.csv": "a,y\n1,2\n"}
    assert bodies[4]["binaryData"] == {"rows.csv": "YSx5CukLMQo="} or "binaryData" in bodies[4]
    assert bodies[5]["spec"]["llm"] == {"apiKeySecretRef": {"name": "gemini", "key": "apiKey"}}


@pytest.mark.parametrize("data", ["http://example.org/rows.csv", "file:///rows.csv"])
def test_train_says_which_addresses_there_are(server: Server, client: Client, data: str) -> None:
    with pytest.raises(ValueError, match="expected an s3:// or https:// address"):
        client.train(data, "y")
    assert server.requests == []


def test_train_says_where_a_large_csv_belongs(server: Server, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    file.write_bytes(b"x" * 1_000_001)
    with pytest.raises(ValueError, match="give an s3:// or https:// address"):
        client.train(file, "y")
    assert server.requests == []


# what lies in the store


def test_report_and_journal_come_through_the_operator_with_a_token_of_ours(
    server: Server, client: Client, tmp_path: Path
) -> None:
    page = b"<p>\xc3\xa9</p>"
    server.on("GET", f"{ARTIFACTS}/report", Answer(body=page, headers={"content-type": "text/html"}))
    server.on(
        "GET", f"{OPERATOR}/journals/team/churn", Answer(body={"outcome": "Found", "entries": [{"n": 4}]})
    )
    report = client.report("churn", tmp_path / "report.html")
    assert report == "<p>é</p>" == (tmp_path / "report.html").read_text()
    assert 'sandbox="" ' in report._repr_html_()
    assert "&lt;p&gt;" in report._repr_html_()
    assert client.journal("churn", after=3) == [{"n": 4}]
    assert [one.headers["x-autoai-token"] for one in server.requests] == ["mine", "mine"]
    assert server.requests[1].query == {"after": "3"}


def test_profile_and_preview_of_a_data_set(server: Server, client: Client) -> None:
    path = f"{OPERATOR}/artifacts/datasets/team/rows"
    server.on("GET", f"{path}/profile", Answer(body={"rows": 3}))
    server.on("GET", f"{path}/preview", Answer(body={"columns": ["a"], "rows": [["1"]]}))
    assert client.profile("rows", "Dataset") == {"rows": 3}
    assert client.preview("rows", "Dataset")["columns"] == ["a"]


def test_what_the_operator_refuses_is_told_as_it_says_it(server: Server, client: Client) -> None:
    refusal = {"outcome": "Denied", "message": "you may not get trainingjobs in namespace team"}
    server.on("GET", f"{ARTIFACTS}/report", Answer(403, refusal))
    with pytest.raises(ApiError, match="you may not get trainingjobs") as raised:
        client.report("churn")
    assert raised.value.reason == "Denied"


def test_an_operator_that_is_busy_is_asked_again(server: Server, client: Client) -> None:
    busy = Answer(429, {"outcome": "Busy", "message": "later"}, headers={"retry-after": "0"})
    server.on("GET", f"{ARTIFACTS}/report", busy, busy, Answer(body=b"<p>"))
    assert client.report("churn") == "<p>"


def test_who_has_a_certificate_reads_as_an_account(server: Server, access: Access) -> None:
    certified = Access(server.url, "team", access.tls)
    with pytest.raises(ConfigError, match="service_account="):
        Client(certified).report("churn")
    token = "/api/v1/namespaces/team/serviceaccounts/reader/token"
    server.on("POST", token, Answer(201, {"status": {"token": "minted"}}))
    server.on("GET", f"{ARTIFACTS}/report", Answer(body=b"<p>"))
    client = Client(certified, service_account="reader")
    assert client.report("churn") == client.report("churn") == "<p>"
    assert len(server.asked("POST", token)) == 1
    assert server.requests[-1].headers["x-autoai-token"] == "minted"


# model


def served(server: Server, entries: Iterable[tuple[str, bytes]], cut: int | None = None) -> None:
    tar = package(entries)
    body = tar if cut is None else tar[:cut]
    digest = sha256(manifest()).hexdigest()
    server.on(
        "GET", f"{JOBS}/churn", Answer(body=job(9, "READY", model={"digest": digest, "finalScore": "1"}))
    )
    server.on("GET", f"{ARTIFACTS}/model", Answer(chunks=chunked(body), cut=cut is not None))


def test_a_model_is_fetched_whole_and_checked(server: Server, client: Client, tmp_path: Path) -> None:
    served(server, [("model.json", manifest()), *FILES.items()])
    folder = client.model("churn", tmp_path / "models" / "churn")
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    assert (folder / "model.json").read_bytes() == manifest()
    with pytest.raises(FileExistsError):
        client.model("churn", folder)


OTHER = {**FILES, "trained_model.joblib": b"Weights" * 1000}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([("model.json", manifest()), *OTHER.items()], "trained_model.joblib of the package is not the one"),
        ([("model.json", manifest(OTHER)), *OTHER.items()], "model.json of the package is not the one"),
        ([("model.json", manifest()), *list(FILES.items())[:2]], "without lock.txt"),
        ([("model.json", manifest()), *FILES.items(), ("more", b"x")], "names no further file 'more'"),
        ([("model.json", manifest()), ("../outside", b"x")], "names no further file '../outside'"),
        (list(FILES.items()), "begins with 'trained_model.joblib'"),
        ([], "without model.json"),
    ],
)
def test_of_a_package_that_is_another_nothing_is_kept(
    server: Server, client: Client, tmp_path: Path, entries: list[tuple[str, bytes]], message: str
) -> None:
    served(server, entries)
    with pytest.raises(DamagedPackageError, match=message):
        client.model("churn", tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_of_a_package_that_breaks_off_nothing_is_kept(server: Server, client: Client, tmp_path: Path) -> None:
    served(server, [("model.json", manifest()), *FILES.items()], cut=4000)
    with pytest.raises((DamagedPackageError, UnreachableError)):
        client.model("churn", tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_where_a_package_cannot_be_written_nothing_is_kept_and_the_folder_is_named(
    server: Server, client: Client, tmp_path: Path
) -> None:
    served(server, [("model.json", manifest()), *FILES.items()])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A full disk fails in the same place, with another number.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="nothing of the model package was kept") as raised:
            client.model("churn", tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (raised.value.errno, raised.value.filename) == (errno.EFBIG, str(tmp_path / "model"))
    assert list(tmp_path.iterdir()) == []


# predict


def model_server(request: Request) -> Answer:
    rows = request.body["rows"]
    warnings = [{"row": number, "field": "plan"} for number, row in enumerate(rows) if row["plan"] == "new"]
    return Answer(
        body={
            "predictions": [row["tenure"] for row in rows],
            "probabilities": [{"yes": 1.0} for _ in rows],
            "model": {"name": "churn", "digest": "d"},
            "requestId": "r",
            "warnings": warnings,
        }
    )


def deployed(server: Server, **more: Any) -> None:
    metadata = {"name": "churn", "namespace": "team"}
    body: Json = {"kind": "ModelDeployment", "metadata": metadata, **more}
    server.on("GET", DEPLOYMENT, Answer(body=body))


def test_predict_goes_through_the_proxy_in_parts_that_the_deployment_takes(
    server: Server, client: Client
) -> None:
    deployed(server, spec={"limits": {"maxRows": 2}})
    server.on("POST", MODEL, model_server)
    plans = ["a", "b", "c", "d", "new"]
    answer = client.predict("churn", [{"tenure": n, "plan": plan} for n, plan in enumerate(plans)])
    assert answer.predictions == [0, 1, 2, 3, 4]
    assert len(answer.probabilities or []) == len(answer) == 5
    assert answer.warnings == [{"row": 4, "field": "plan"}]
    assert answer.model["digest"] == "d"
    assert [len(one.body["rows"]) for one in server.asked("POST", MODEL)] == [2, 2, 1]


def test_inside_of_the_cluster_the_service_is_asked_and_learns_no_token(
    server: Server, access: Access
) -> None:
    with closing(Server()) as model:
        deployed(server, status={"url": model.url})
        model.on("POST", "/predict", model_server)
        inside = Access(server.url, "team", access.tls, access.authorization, inside=True)
        assert Client(inside).predict("churn", {"tenure": 3, "plan": "a"}).predictions == [3]
        assert "authorization" not in {name.lower() for name in model.requests[0].headers}


def test_frames_and_their_missing_cells_become_json(server: Server, client: Client) -> None:
    deployed(server)
    server.on("POST", MODEL, model_server)
    frame = pandas.DataFrame(
        {
            "tenure": [1, 2],
            "plan": ["a", None],
            "fee": [1.5, float("nan")],
            "since": [pandas.Timestamp("2026-01-31"), pandas.NaT],
            "count": pandas.array([1, None], dtype="Int64"),
        }
    )
    client.predict("churn", frame)
    [request] = server.asked("POST", MODEL)
    assert json.loads(json.dumps(request.body["rows"])) == [
        {"tenure": 1, "plan": "a", "fee": 1.5, "since": "2026-01-31T00:00:00", "count": 1},
        {"tenure": 2, "plan": None, "fee": None, "since": None, "count": None},
    ]


def test_rows_that_a_model_refuses_are_named(server: Server, client: Client) -> None:
    deployed(server)
    problem = {"row": 0, "field": "tenure", "problem": "Type", "expected": "a number", "found": '"x"'}
    body = {
        "error": "1 problem in the rows",
        "reason": "InvalidRows",
        "problems": [problem],
        "requestId": "r",
    }
    server.on("POST", MODEL, Answer(422, body))
    with pytest.raises(ApiError) as raised:
        client.predict("churn", {"tenure": "x"})
    assert raised.value.reason == "InvalidRows"
    assert raised.value.causes[0].reason == "Type"
    assert str(raised.value.causes[0]) == 'row 0, tenure: expected a number, found "x"'


def test_rows_that_a_model_refuses_count_over_all_parts(server: Server, client: Client) -> None:
    deployed(server, spec={"limits": {"maxRows": 1000}})
    problems = [{"row": row, "field": "plan", "problem": "Type", "expected": "text"} for row in range(30)]
    refused = {"error": "row 0 does not fit", "reason": "InvalidRows", "problems": problems}
    server.on("POST", MODEL, model_server, Answer(422, refused))
    with pytest.raises(ApiError, match="of the rows from 1000 on: row 0 does not fit") as raised:
        client.predict("churn", [{"tenure": 1, "plan": "a"}] * 1030)
    assert [cause.row for cause in raised.value.causes] == list(range(1000, 1030))
    assert "row 1000, plan: expected text\n" in str(raised.value)
    assert str(raised.value).endswith("\n  and 10 more, in causes")


def test_a_deployment_that_does_not_answer_yet_says_why(server: Server, client: Client) -> None:
    ready = {"type": "Ready", "status": "Unknown", "reason": "RollingOut", "message": "0 of 1 are ready"}
    deployed(server, status={"conditions": [ready]})
    nobody = status(503, "ServiceUnavailable", 'no endpoints available for service "http:churn:80"')
    server.on("POST", MODEL, Answer(503, nobody))
    message = r"ModelDeployment team/churn does not answer \(RollingOut: 0 of 1 are ready\): no endpoints"
    with pytest.raises(ApiError, match=message) as raised:
        client.predict("churn", {"tenure": 1})
    assert raised.value.reason == "ServiceUnavailable"


def test_in_a_pod_a_deployment_that_cannot_be_reached_says_why(server: Server, access: Access) -> None:
    ready = {"type": "Ready", "status": "True", "reason": "ScaledToZero", "message": "nothing is served"}
    deployed(server, status={"url": "http://127.0.0.1:9", "conditions": [ready]})
    inside = Client(replace(access, inside=True))
    with pytest.raises(UnreachableError, match=r"\(ScaledToZero: nothing is served\): POST http://127"):
        inside.predict("churn", {"tenure": 1})


def test_a_column_of_a_frame_is_no_frame(server: Server, client: Client) -> None:
    with pytest.raises(TypeError, match=r"the rows are a Series: .* give frame\.iloc\[\[0\]\]"):
        client.predict("churn", pandas.Series({"tenure": 1}))  # type: ignore[arg-type]
    assert server.requests == []


# what a refusal leaves out


def test_a_token_that_has_ended_says_to_sign_in_again(server: Server, client: Client) -> None:
    server.on("GET", f"{JOBS}/churn", Answer(401, status(401, "Unauthorized", "Unauthorized")))
    with pytest.raises(ApiError, match=r"the token or certificate has ended.*: sign in again") as raised:
        client.get("churn")
    assert (raised.value.code, raised.value.reason) == (401, "Unauthorized")


def test_what_is_not_found_says_in_which_namespace(server: Server, client: Client) -> None:
    with pytest.raises(ApiError, match=r'trainingjobs\.autoai\.dev "churn" not found in namespace team '):
        client.get("churn")
    none = Answer(404, status(404, "NotFound", 'namespaces "team" not found'))
    server.on("PATCH", f"{JOBS}/churn", none)
    with pytest.raises(ApiError) as raised:
        client.train("s3://bucket/churn.csv", "y")
    assert raised.value.message == 'namespaces "team" not found'


def test_a_cluster_without_autoai_is_told_as_such(server: Server, client: Client) -> None:
    plain = Answer(404, b"404 page not found\n", headers={"content-type": "text/plain"})
    server.on("GET", JOBS, plain)
    with pytest.raises(ApiError, match="this API server knows nothing of AutoAI"):
        client.list()


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        (404, "NotFound", 'services "autoai" not found'),
        (503, "ServiceUnavailable", 'no endpoints available for service "http:autoai:8080"'),
    ],
)
def test_an_operator_that_is_not_there_is_named(
    server: Server, client: Client, code: int, reason: str, message: str
) -> None:
    nobody = Answer(code, status(code, reason, message))
    server.on("GET", f"{ARTIFACTS}/report", nobody)
    server.on("GET", f"{ARTIFACTS}/profile", nobody)
    server.on("GET", f"{OPERATOR}/journals/team/churn", nobody)
    for asked in (client.report, client.profile, client.journal):
        with pytest.raises(ApiError, match="does not answer at Service autoai-system/autoai: ") as raised:
            asked("churn")
        assert message in raised.value.message
        assert "by operator= where it is" in raised.value.message
    with pytest.raises(ValueError, match="operator='autoai': expected namespace/name"):
        Client(client._transport.access, operator="autoai")


def test_nobody_there_is_told_as_such(access: Access) -> None:
    nobody = Access("http://127.0.0.1:9", "team", access.tls)
    with pytest.raises(UnreachableError, match=r"GET http://127\.0\.0\.1:9/apis"):
        Client(nobody).get("churn")
