"""The client: what a person does with AutoAI in a cluster, with that person's own rights."""

from __future__ import annotations

import builtins
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self, cast

from . import kubeconfig
from .errors import NOBODY_THERE, ApiError, AutoAIError, FailedError, StalledError, UnreachableError
from .kubeconfig import Access
from .package import receive, require_free
from .report import Report
from .resources import API_VERSION, KINDS, Manifest, Resource, collection, manifests
from .rows import Predictions, Rows, batches, records
from .store import OperatorStore, Owner
from .training import given, job_spec, name_of, rows_manifest, rows_of
from .transport import Transport, segment
from .waiting import Progress, ProgressLine, follow

FIELD_MANAGER = "autoai-client"
MODEL_PORT = 80
DEFAULT_MAX_ROWS = 1000

Kind = Literal["TrainingJob", "Dataset", "ModelDeployment"]
Named = str | Resource


class Client:
    """Trains, fetches and asks models in one cluster.

    Objects are named `name`, of the client's namespace, or `namespace/name`, or are given as the `Resource`
    that another method returned. Everything raises `ApiError` where it is refused and `UnreachableError`
    where nobody answers.
    """

    def __init__(
        self,
        access: Access,
        *,
        namespace: str | None = None,
        operator: str = "autoai-system/autoai",
        service_account: str | None = None,
    ) -> None:
        """Takes an `Access`; mostly `from_kubeconfig` or `in_cluster` makes it.

        `operator` is namespace/name of the operator's Service. `service_account` reads reports, models and
        journals as that account of the client's namespace: needed where the kubeconfig has a client
        certificate, which the operator cannot check.
        """
        self.namespace = namespace or access.namespace
        self._transport = Transport(access)
        self._store = OperatorStore(self._transport, operator, self.namespace, service_account)

    @classmethod
    def from_kubeconfig(
        cls, path: str | os.PathLike[str] | None = None, context: str | None = None, **options: Any
    ) -> Self:
        """By a kubeconfig: the one that is named, or those of KUBECONFIG, or ~/.kube/config. Options are
        those of the class.
        """
        return cls(kubeconfig.from_kubeconfig(path, context), **options)

    @classmethod
    def in_cluster(cls, **options: Any) -> Self:
        """By the ServiceAccount of the pod that this runs in. Options are those of the class."""
        return cls(kubeconfig.in_cluster(), **options)

    def close(self) -> None:
        """Ends its connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        """For `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends its connections."""
        self.close()

    # Objects

    def apply(
        self, source: Manifest | Sequence[Manifest] | str | os.PathLike[str], *, force: bool = False
    ) -> builtins.list[Resource]:
        """Server-side apply of manifests: a mapping, several, YAML as text, or the path of a file.

        What names no namespace goes into the client's. With `force`, fields that others set are taken over.
        """
        return [self._apply(one, force) for one in manifests(source)]

    def get(self, name: Named, kind: Kind = "TrainingJob") -> Resource:
        """An object as it is now."""
        path, plain = self._place(name, kind)
        return Resource(self._transport.request("GET", f"{path}/{segment(plain)}"))

    def list(self, kind: Kind = "TrainingJob") -> builtins.list[Resource]:
        """The objects of a kind in the client's namespace."""
        answer = self._transport.request("GET", collection(API_VERSION, kind, self.namespace))
        # The items of a list do not say what they are.
        return [Resource({"apiVersion": API_VERSION, "kind": kind, **item}) for item in answer["items"]]

    def delete(self, name: Named, kind: Kind = "TrainingJob") -> None:
        """Asks for its deletion."""
        path, plain = self._place(name, kind)
        self._transport.request("DELETE", f"{path}/{segment(plain)}")

    def train(
        self,
        data: object,
        target: str,
        *,
        name: str | None = None,
        task: str | None = None,
        metric: str | None = None,
        goal: str | None = None,
        max_steps: int | None = None,
        max_seconds: int | None = None,
        max_tokens: int | None = None,
        provider: Literal["Gemini", "Offline"] | None = None,
        api_key: tuple[str, str] | None = None,
        **spec: Any,
    ) -> Resource:
        """Begins a TrainingJob, and returns it at once: `wait` waits for it.

        `data` is an address (`s3://`, `https://`), the path of a CSV, a DataFrame, or a `Dataset` that
        `get` returned. Files and DataFrames travel in a ConfigMap, which goes with the job, and have at
        most 1 MB: larger ones belong into a bucket. `api_key` is (Secret, key in it). Anything else in the
        job's spec can be given by its name there, as a mapping.
        """
        rows = rows_of(data)
        job = name or name_of(data, target)
        config_map = None if rows is None else f"{job}-rows"
        key = {"name": api_key[0], "key": api_key[1]} if api_key else None
        body = job_spec(
            data,
            target,
            config_map,
            {**given(task=task, goal=goal), **spec},
            evaluation=given(metric=metric),
            budget=given(maxSteps=max_steps, maxSeconds=max_seconds, maxTokens=max_tokens),
            llm=given(provider=provider, apiKeySecretRef=key),
        )
        if config_map is not None and rows is not None:
            self.apply(rows_manifest(config_map, rows))
        manifest = {"apiVersion": API_VERSION, "kind": "TrainingJob", "metadata": {"name": job}, "spec": body}
        [created] = self.apply(manifest)
        if config_map is not None and rows is not None:
            # Again, now that there is somebody to go with.
            self.apply(rows_manifest(config_map, rows, created))
        return created

    def deploy(self, job: Named, *, name: str | None = None, **spec: Any) -> Resource:
        """Serves a job's model by a ModelDeployment of the job's name, or another one; the rest of its spec
        by name.
        """
        _, plain = self._place(job, "TrainingJob")
        metadata = {"name": name or plain, "namespace": self._namespace_of(job)}
        manifest = {
            "apiVersion": API_VERSION,
            "kind": "ModelDeployment",
            "metadata": metadata,
            "spec": {"modelRef": {"trainingJob": plain}, **spec},
        }
        [deployment] = self.apply(manifest)
        return deployment

    def wait(
        self,
        target: Named,
        kind: Kind = "TrainingJob",
        *,
        timeout: float | None = None,
        progress: Progress | bool = True,
    ) -> Resource:
        """Waits until it is done: a job has its model, a data set is taken in, a model answers. Returns it
        as it is then.

        It watches, and goes on where it was when a connection breaks. `progress` is a callable that gets
        the object at each change; True shows a line, False nothing. Raises FailedError where a job ended in
        ERROR, StalledError where nothing happens until somebody acts (mend it, and wait again),
        WaitTimeoutError after `timeout` seconds.
        """
        if isinstance(target, Resource):
            kind = cast(Kind, target.kind)
        path, plain = self._place(target, kind)
        line = ProgressLine() if progress is True else None
        told: Progress | None = line if line is not None else progress if callable(progress) else None
        try:
            for resource in follow(self._transport, path, plain, timeout):
                if told is not None:
                    told(resource)
                if resource.ready:
                    return resource
                if resource.stalled:
                    problem = f"{kind} {plain}: {resource.message} ({resource.reason})"
                    raise (FailedError if resource.state == "ERROR" else StalledError)(resource, problem)
        finally:
            if line is not None:
                line.close()
        raise AssertionError("an object is followed without end")

    # What lies in the operator's store

    def report(self, job: Named, path: str | os.PathLike[str] | None = None) -> Report:
        """The HTML report of a READY job, which a notebook shows as it is; written to a file too, where one
        is named.
        """
        report = Report(self._store.text(self._owner(job, "TrainingJob"), "report"))
        if path is not None:
            Path(path).expanduser().write_text(report, encoding="utf-8")
        return report

    def model(self, job: Named, path: str | os.PathLike[str]) -> Path:
        """Fetches the model package into a folder that is not there yet, or is empty, and returns the
        folder.

        Every file is checked against the digest in the job's status. Raises DamagedPackageError where one
        is another, and leaves nothing then. `trained_model.joblib` is a pickle: it runs code of its author
        when it is loaded.
        """
        folder = Path(path).expanduser().resolve()
        require_free(folder)
        read = self.get(job)
        if read.digest is None:
            raise AutoAIError(f"job {read.namespace}/{read.name} is {read.state}, and has no model")
        with self._store.artifact(self._owner(read, "TrainingJob"), "model") as answer:
            receive(cast(Any, answer), read.digest, folder)
        return folder

    def profile(self, name: Named, kind: Kind = "TrainingJob") -> dict[str, Any]:
        """What the intake found in the rows of a job or a Dataset: columns, types, missing cells,
        warnings.
        """
        return self._store.json(self._owner(name, kind), "profile")

    def preview(self, name: Named, kind: Kind = "TrainingJob") -> dict[str, Any]:
        """The first ten rows: `columns` and `rows`."""
        return self._store.json(self._owner(name, kind), "preview")

    def journal(self, job: Named, after: int = -1) -> builtins.list[dict[str, Any]]:
        """What a job did so far: each reply, tool result, score and decision, from the entry after a number
        on.
        """
        _, plain = self._place(job, "TrainingJob")
        return self._store.journal(self._namespace_of(job), plain, after)

    # Predictions

    def predict(
        self,
        deployment: Named,
        rows: Rows,
        *,
        batch: int | None = None,
        timeout: float = 60,
        url: str | None = None,
    ) -> Predictions:
        """What the model of a ModelDeployment says of rows: a mapping, several, or a DataFrame.

        More rows than the deployment takes at once are sent in parts. From outside of the cluster, requests
        go through the API server's proxy (which takes the right to `create services/proxy`); inside, to the
        Service, or to `url`. Raises ApiError with a cause for each row and field that is wrong.
        """
        found = records(rows)
        read: Resource | None = None
        path, plain = self._place(deployment, "ModelDeployment")
        most = batch or DEFAULT_MAX_ROWS
        if url is None:
            read = Resource(self._transport.request("GET", f"{path}/{segment(plain)}"))
            limits = read.manifest.get("spec", {}).get("limits") or {}
            most = min(most, int(limits.get("maxRows", DEFAULT_MAX_ROWS)))
            if self._transport.access.inside:
                url = read.status.get("url")
            if url is None:
                namespace = segment(read.namespace)
                url = f"/api/v1/namespaces/{namespace}/services/http:{segment(plain)}:{MODEL_PORT}/proxy"
        result = Predictions()
        for start, part in batches(found, most):
            try:
                answer = self._transport.request(
                    "POST", f"{url.rstrip('/')}/predict", body={"rows": part}, seconds=timeout
                )
            except (ApiError, UnreachableError) as error:
                raise _of_prediction(error, read, start) from error
            result.add(answer, start)
        return result

    # How

    def _place(self, name: Named, kind: Kind) -> tuple[str, str]:
        """The path of its collection, and its name."""
        if isinstance(name, Resource) and name.kind != kind:
            raise ValueError(f"{name!r} is a {name.kind}: expected a {kind}")
        plain = name.name if isinstance(name, Resource) else name.rpartition("/")[2]
        return collection(API_VERSION, kind, self._namespace_of(name)), plain

    def _namespace_of(self, name: Named) -> str:
        if isinstance(name, Resource):
            return name.namespace
        return name.rpartition("/")[0] or self.namespace

    def _apply(self, manifest: dict[str, Any], force: bool) -> Resource:
        metadata = {"namespace": self.namespace, **manifest["metadata"]}
        path = collection(str(manifest["apiVersion"]), str(manifest["kind"]), str(metadata["namespace"]))
        answer = self._transport.request(
            "PATCH",
            f"{path}/{segment(str(metadata['name']))}",
            query={"fieldManager": FIELD_MANAGER, "force": force, "fieldValidation": "Strict"},
            body={**manifest, "metadata": metadata},
            content_type="application/apply-patch+yaml",
        )
        return Resource(answer)

    def _owner(self, name: Named, kind: Kind) -> Owner:
        """Whose artifact is asked for."""
        if isinstance(name, Resource):
            kind = cast(Kind, name.kind)
        _, plain = self._place(name, kind)
        return KINDS[(API_VERSION, kind)][0], self._namespace_of(name), plain


def _of_prediction(
    error: ApiError | UnreachableError, deployment: Resource | None, start: int
) -> ApiError | UnreachableError:
    """What to tell of a part of the rows that begins at `start`: rows count over all, and where nobody
    answers for the deployment, why, as far as it says so itself.
    """
    prefix = ""
    nobody = isinstance(error, UnreachableError) or error.reason in NOBODY_THERE
    if nobody and deployment is not None:
        state = f" ({deployment.reason}: {deployment.message})" if deployment.reason else ""
        prefix = f"{deployment.kind} {deployment.namespace}/{deployment.name} does not answer{state}: "
    elif start:
        prefix = f"of the rows from {start} on: "
    if isinstance(error, UnreachableError):
        return UnreachableError(f"{prefix}{error}")
    causes = [cause.moved(start) for cause in error.causes]
    return ApiError(error.code, error.reason, f"{prefix}{error.message}", causes)
