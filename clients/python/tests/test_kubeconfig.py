"""Kubeconfigs as kubectl reads them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from wire import JOBS, Answer, Server, job, status

from autoai_client import Client, ConfigError
from autoai_client.kubeconfig import from_kubeconfig, in_cluster


def config(folder: Path, user: dict[str, Any], server: str = "https://10.0.0.1:6443", **cluster: Any) -> Path:
    file = folder / "config"
    content = {
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": server, **cluster}}],
        "contexts": [
            {"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "team"}},
            {"name": "plain", "context": {"cluster": "k", "user": "u"}},
        ],
        "users": [{"name": "u", "user": user}],
    }
    file.write_text(json.dumps(content))
    return file


def test_a_context_is_the_current_one_or_the_one_that_is_named(tmp_path: Path) -> None:
    file = config(tmp_path, {"token": "t"})
    access = from_kubeconfig(file)
    assert (access.server, access.namespace) == ("https://10.0.0.1:6443", "team")
    assert access.authorization(False) == "Bearer t"
    assert from_kubeconfig(file, "plain").namespace == "default"
    with pytest.raises(ConfigError, match=r"no context 'other'; it has: c, plain"):
        from_kubeconfig(file, "other")


def test_of_several_files_what_the_first_says_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = config(tmp_path, {"token": "first"})
    (tmp_path / "other").mkdir()
    second = config(tmp_path / "other", {"token": "second"})
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'none'}:{first}:{second}")
    assert from_kubeconfig().authorization(False) == "Bearer first"
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"there is no kubeconfig at .*; in a pod, use Client\.in_cl"):
        from_kubeconfig()


def test_a_token_of_a_file_is_read_again_when_it_is_refused(tmp_path: Path, server: Server) -> None:
    (tmp_path / "token").write_text("old\n")
    file = config(tmp_path, {"tokenFile": "token"}, server.url)
    client = Client.from_kubeconfig(file)
    server.on("GET", f"{JOBS}/churn", Answer(body=job()))
    client.get("churn")
    (tmp_path / "token").write_text("new\n")
    refused = Answer(401, status(401, "Unauthorized", "Unauthorized"))
    server.on("GET", f"{JOBS}/churn", refused, Answer(body=job()))
    client.get("churn")
    sent = [one.headers["authorization"] for one in server.requests]
    assert sent == ["Bearer old", "Bearer old", "Bearer new"]


def plugin(folder: Path, script: str, **more: Any) -> dict[str, Any]:
    program = folder / "plugin"
    program.write_text(f"#!{sys.executable}\n{script}")
    program.chmod(0o755)
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": "./plugin", "interactiveMode": "Never", **more}}


ANSWER = """
import json, os, pathlib, sys
count = pathlib.Path(os.environ["COUNT"])
number = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(number))
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
assert info["kind"] == "ExecCredential" and sys.argv[1:] == ["--for", "us"]
status = {"token": f"t{number}", "expirationTimestamp": os.environ["ENDS"]}
print(json.dumps({"apiVersion": info["apiVersion"], "kind": "ExecCredential", "status": status}))
"""


@pytest.mark.parametrize(
    ("ends", "tokens"),
    [("2999-01-01T00:00:00Z", ["t1", "t1"]), ("2001-01-01T00:00:00Z", ["t2", "t3"])],
)
def test_a_program_gives_tokens_until_they_end(tmp_path: Path, ends: str, tokens: list[str]) -> None:
    env = [{"name": "COUNT", "value": str(tmp_path / "count")}, {"name": "ENDS", "value": ends}]
    access = from_kubeconfig(config(tmp_path, plugin(tmp_path, ANSWER, args=["--for", "us"], env=env)))
    assert [access.authorization(False) for _ in range(2)] == [f"Bearer {one}" for one in tokens]


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ({"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "x"}}, "of version"),
        (
            {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "command": "no-such-program",
                    "installHint": "get it at the gate",
                }
            },
            "no-such-program.*is missing: get it at the gate",
        ),
        ({"auth-provider": {"name": "gcp"}}, "auth-provider, which Kubernetes has given up"),
    ],
)
def test_credentials_that_cannot_be_had_say_why(tmp_path: Path, user: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_kubeconfig(config(tmp_path, user))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import sys; sys.exit('not logged in')", "it ended with 1: not logged in"),
        ("print('secret-token')", "printed no ExecCredential"),
        ("print('{}')", "printed no ExecCredential"),
    ],
)
def test_a_program_that_gives_none_is_told_without_what_it_printed(
    tmp_path: Path, script: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        from_kubeconfig(config(tmp_path, plugin(tmp_path, script)))
    assert "secret-token" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "is no kubeconfig: expected a mapping"),
        ("contexts: [1]", "has one of contexts that is none: expected name and context"),
        ("clusters: [{cluster: {}}]", "has one of clusters that is none: expected name and cluster"),
        ("users: [{name: u, user: t}]", "has one of users that is none: expected name and user"),
        ("a: [", "is no YAML"),
        (b"\xff\xfe", "cannot be read"),
        ("", "names no current context"),
    ],
)
def test_what_is_no_kubeconfig_says_where(tmp_path: Path, content: str | bytes, message: str) -> None:
    file = tmp_path / "config"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=message) as raised:
        from_kubeconfig(file)
    assert str(file) in str(raised.value)


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        ({"certificate-authority-data": "@@@@"}, "certificate-authority-data of 'k' is no base64"),
        ({"certificate-authority-data": "aGVsbG8="}, "certificate-authority of 'k' cannot be used"),
        ({"certificate-authority": "none.crt"}, "certificate-authority of 'k' cannot be read"),
    ],
)
def test_an_authority_that_is_none_says_whose_it_is(
    tmp_path: Path, cluster: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        from_kubeconfig(config(tmp_path, {"token": "t"}, **cluster))


def test_a_program_that_may_not_be_run_is_told(tmp_path: Path) -> None:
    user = plugin(tmp_path, "")
    (tmp_path / "plugin").chmod(0o644)
    with pytest.raises(ConfigError, match=r"plugin gave no credentials: .*Permission denied"):
        from_kubeconfig(config(tmp_path, user))


def test_a_name_and_password_and_nothing_at_all(tmp_path: Path) -> None:
    assert (
        from_kubeconfig(config(tmp_path, {"username": "a", "password": "b"})).authorization(False)
        == "Basic YTpi"
    )
    assert from_kubeconfig(config(tmp_path, {})).authorization(False) is None


def test_a_pod_is_known_by_its_account(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"use Client.from_kubeconfig\(\)"):
        in_cluster(tmp_path, {})
    authority = Path(__file__).parent / "ca.crt"
    for name, content in {"token": "t\n", "namespace": "team", "ca.crt": authority.read_text()}.items():
        (tmp_path / name).write_text(content)
    access = in_cluster(tmp_path, {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"})
    assert (access.server, access.namespace, access.inside) == ("https://[fd00::1]:443", "team", True)
    assert access.authorization(False) == "Bearer t"
