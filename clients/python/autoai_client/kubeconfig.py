"""Who we are and where the API server is: a kubeconfig as kubectl reads it, or the account of a pod."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
EXEC_SECONDS = 60
TOKEN_FILE_SECONDS = 60

Authorization = Callable[[bool], str | None]
"""The Authorization header; asked with True, it makes a new one, for the last one was refused."""


@dataclass(frozen=True, slots=True)
class Access:
    """All that a connection to an API server takes."""

    server: str
    namespace: str
    tls: ssl.SSLContext
    authorization: Authorization = field(default=lambda _: None)
    server_name: str | None = None
    verify_name: bool = True
    proxy: str | None = None
    inside: bool = False
    """Whether this is a pod of that cluster."""


def in_cluster(folder: Path = SERVICE_ACCOUNT, environment: dict[str, str] | None = None) -> Access:
    """By the ServiceAccount of this pod. Its token is read again as the kubelet renews it."""
    env = os.environ if environment is None else environment
    host, port = env.get("KUBERNETES_SERVICE_HOST"), env.get("KUBERNETES_SERVICE_PORT")
    if not host or not port or not (folder / "token").is_file():
        raise ConfigError(
            "this is no pod with a ServiceAccount: expected KUBERNETES_SERVICE_HOST and a token in "
            f"{folder}; elsewhere, use Client.from_kubeconfig()"
        )
    return Access(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        namespace=(folder / "namespace").read_text().strip(),
        tls=ssl.create_default_context(cafile=str(folder / "ca.crt")),
        authorization=_token_file(folder / "token"),
        inside=True,
    )


def from_kubeconfig(path: str | os.PathLike[str] | None = None, context: str | None = None) -> Access:
    """By a kubeconfig: the one that is named, or those of KUBECONFIG, or ~/.kube/config."""
    if path is not None:
        files = [Path(path).expanduser()]
    elif given := os.environ.get("KUBECONFIG"):
        files = [Path(one).expanduser() for one in given.split(os.pathsep) if one]
    else:
        files = [Path.home() / ".kube" / "config"]
    config = _merged(files)
    name = context or config.current
    if not name:
        raise ConfigError(f"{_names(files)} names no current context: give context=")
    chosen = config.named("contexts", "context", name)
    cluster = config.named("clusters", "cluster", str(chosen.value.get("cluster", "")))
    user = config.named("users", "user", str(chosen.value["user"])) if chosen.value.get("user") else None
    server = str(cluster.value.get("server", "")).rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise ConfigError(f"cluster {cluster.name!r} has no server: expected https://host:port")
    authorization, certificate = _user(user) if user else (lambda _: None, None)
    return Access(
        server=server,
        namespace=str(chosen.value.get("namespace") or "default"),
        tls=_tls(cluster, certificate),
        authorization=authorization,
        server_name=cluster.value.get("tls-server-name"),
        verify_name=not cluster.value.get("insecure-skip-tls-verify"),
        proxy=cluster.value.get("proxy-url"),
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """A cluster, user or context, and the folder that relative paths in it begin at."""

    name: str
    value: dict[str, Any]
    folder: Path

    def content(self, key: str) -> bytes | None:
        """What stands in `key`-data, or in the file that `key` names."""
        if data := self.value.get(f"{key}-data"):
            try:
                return base64.b64decode("".join(str(data).split()), validate=True)
            except ValueError:
                # Without what stands there: it may be a key.
                raise ConfigError(f"{key}-data of {self.name!r} is no base64") from None
        if path := self.value.get(key):
            try:
                return (self.folder / str(path)).read_bytes()
            except (OSError, ValueError) as error:
                raise ConfigError(f"{key} of {self.name!r} cannot be read: {error}") from error
        return None


@dataclass(frozen=True, slots=True)
class _Config:
    current: str | None
    entries: dict[str, dict[str, _Entry]]

    def named(self, section: str, what: str, name: str) -> _Entry:
        try:
            return self.entries[section][name]
        except KeyError:
            known = ", ".join(sorted(self.entries[section])) or "none"
            raise ConfigError(f"the kubeconfig has no {what} {name!r}; it has: {known}") from None


def _merged(files: list[Path]) -> _Config:
    """As kubectl merges them: what an earlier file says stands."""
    entries: dict[str, dict[str, _Entry]] = {"clusters": {}, "users": {}, "contexts": {}}
    current = None
    found = False
    for file in files:
        try:
            text = file.read_text()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} cannot be read: {error}") from error
        try:
            content = yaml.safe_load(text) or {}
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ConfigError(f"{file} is no YAML: {error}") from error
        if not isinstance(content, dict):
            raise ConfigError(f"{file} is no kubeconfig: expected a mapping")
        found = True
        _check_texts(f"{file}", content, ("current-context",))
        current = current or content.get("current-context")
        for section, known in entries.items():
            listed = content.get(section) or []
            if not isinstance(listed, list):
                raise ConfigError(f"{section} of {file} are none: expected a list")
            for one in listed:
                name = one.get("name") if isinstance(one, dict) else None
                value = (one.get(section[:-1]) or {}) if isinstance(name, str) and name else None
                if not isinstance(value, dict):
                    raise ConfigError(
                        f"{file} has one of {section} that is none: expected name and {section[:-1]}"
                    )
                _check_texts(f"{section[:-1]} {name!r} in {file}", value, _TEXTS[section])
                known.setdefault(str(name), _Entry(str(name), value, file.resolve().parent))
    if not found:
        raise ConfigError(
            f"there is no kubeconfig at {_names(files)}: name one in KUBECONFIG, or give path=; "
            "in a pod, use Client.in_cluster()"
        )
    return _Config(current, entries)


_TEXTS = {
    "clusters": (
        *("server", "tls-server-name", "proxy-url"),
        *("certificate-authority", "certificate-authority-data"),
    ),
    "contexts": ("cluster", "user", "namespace"),
    "users": (
        *("token", "tokenFile", "username", "password"),
        *("client-certificate", "client-certificate-data", "client-key", "client-key-data"),
    ),
}
"""What is text, as kubectl has it."""


def _check_texts(where: str, value: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        if not isinstance(value.get(key, ""), str | None):
            # Without what stands there: it may be a secret.
            raise ConfigError(f"{key} of {where} is no text: expected it in quotation marks")


def _names(files: list[Path]) -> str:
    return ", ".join(map(str, files))


def _tls(cluster: _Entry, certificate: tuple[bytes, bytes] | None) -> ssl.SSLContext:
    authority = cluster.content("certificate-authority")
    try:
        context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"certificate-authority of {cluster.name!r} cannot be used: {error}") from error
    if cluster.value.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        # OpenSSL reads a certificate and its key from a file alone: one of ours, for a moment.
        descriptor, name = tempfile.mkstemp()
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(certificate[0].rstrip() + b"\n" + certificate[1])
            context.load_cert_chain(name)
        except ssl.SSLError as error:
            raise ConfigError(f"the client certificate cannot be used: {error}") from error
        finally:
            Path(name).unlink()
    return context


def _user(user: _Entry) -> tuple[Authorization, tuple[bytes, bytes] | None]:
    value = user.value
    certificate, key = user.content("client-certificate"), user.content("client-key")
    pair = (certificate, key) if certificate and key else None
    if path := value.get("tokenFile"):
        return _token_file(user.folder / path), pair
    if token := value.get("token"):
        return lambda _: f"Bearer {token}", pair
    if value.get("username") and value.get("password"):
        encoded = base64.b64encode(f"{value['username']}:{value['password']}".encode()).decode()
        return lambda _: f"Basic {encoded}", pair
    if value.get("exec"):
        plugin = _Exec(user)
        return plugin.authorization, plugin.certificate or pair
    if value.get("auth-provider"):
        raise ConfigError(
            f"user {user.name!r} has an auth-provider, which Kubernetes has given up: "
            "expected exec, token or a certificate"
        )
    return lambda _: None, pair


def _token_file(path: Path) -> Authorization:
    known: tuple[float, str] | None = None

    def authorization(renew: bool) -> str:
        nonlocal known
        if known is None or renew or time.monotonic() - known[0] > TOKEN_FILE_SECONDS:
            try:
                known = (time.monotonic(), path.read_text().strip())
            except (OSError, ValueError) as error:
                raise ConfigError(f"the token cannot be read: {error}") from error
        return f"Bearer {known[1]}"

    return authorization


def _program(user: _Entry) -> dict[str, Any]:
    """What `exec` of a user says, in the form that it is to have."""
    spec = user.value["exec"]
    where = f"exec of user {user.name!r}"
    if not isinstance(spec, dict):
        raise ConfigError(f"{where} is none: expected apiVersion and command")
    _check_texts(where, spec, ("command", "installHint"))
    arguments, variables = spec.get("args") or [], spec.get("env") or []
    if not isinstance(arguments, list) or not all(isinstance(one, str) for one in arguments):
        raise ConfigError(f"args of {where} are none: expected a list of texts")
    if not isinstance(variables, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) and isinstance(one.get("value"), str)
        for one in variables
    ):
        raise ConfigError(f"env of {where} is none: expected a list with name and value")
    return spec


class _Exec:
    """Credentials from a program, as client.authentication.k8s.io/v1 has it; asked again when they end or
    are refused.
    """

    def __init__(self, user: _Entry) -> None:
        self._name = user.name
        self._folder = user.folder
        self._spec = _program(user)
        if self._spec.get("apiVersion") not in EXEC_VERSIONS:
            raise ConfigError(
                f"user {self._name!r} has a program for credentials of version "
                f"{self._spec.get('apiVersion')!r}: expected one of {', '.join(EXEC_VERSIONS)}"
            )
        if self._spec.get("interactiveMode") == "Always":
            raise ConfigError(f"user {self._name!r} has a program for credentials that needs a terminal")
        status = self._run()
        self._token: str | None = status.get("token")
        self._ends = _moment(status.get("expirationTimestamp"))
        certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
        self.certificate = (certificate.encode(), key.encode()) if certificate and key else None

    def authorization(self, renew: bool) -> str | None:
        if renew or (self._ends is not None and time.time() > self._ends - 30):
            status = self._run()
            self._token, self._ends = status.get("token"), _moment(status.get("expirationTimestamp"))
        return f"Bearer {self._token}" if self._token else None

    def _run(self) -> dict[str, Any]:
        spec = self._spec
        command = str(spec.get("command", ""))
        # As kubectl: a path with a slash in it begins at the kubeconfig's folder, a bare name is looked for
        # in PATH.
        program = str(self._folder / command) if "/" in command else command
        environment = dict(os.environ)
        environment |= {one["name"]: one["value"] for one in spec.get("env") or []}
        environment["KUBERNETES_EXEC_INFO"] = json.dumps(
            {"apiVersion": spec["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": False}}
        )
        try:
            done = subprocess.run(
                [program, *(spec.get("args") or [])],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=EXEC_SECONDS,
                check=True,
            )
            status = json.loads(done.stdout)["status"]
        except FileNotFoundError:
            hint = spec.get("installHint") or "install it, or use another user of the kubeconfig"
            raise ConfigError(
                f"{command}, which gives credentials of {self._name!r}, is missing: {hint}"
            ) from None
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip()[-500:]
            raise ConfigError(
                f"{command} gave no credentials: it ended with {error.returncode}: {said}"
            ) from None
        except OSError as error:
            raise ConfigError(f"{command or 'exec'} gave no credentials: {error}") from None
        except subprocess.TimeoutExpired:
            raise ConfigError(f"{command} gave no credentials within {EXEC_SECONDS} s") from None
        except (ValueError, KeyError, TypeError):
            # Without what it printed: that may be a secret.
            raise ConfigError(f"{command} printed no ExecCredential with a status") from None
        if not isinstance(status, dict):
            raise ConfigError(f"{command} printed no ExecCredential with a status")
        return status


def _moment(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None
