/**
 * Errands: what a courier is told to do, with a grant for each thing that it reads or writes. Kept in the store, since it may
 * be longer than a pod's environment takes; the pod is given a grant for it. Read by runner/autoai_runner/courier.py.
 */
import type { Grants, PostGrant } from "../../storage/grants.ts";
import { ENVIRONMENT, ROOT } from "../bubblewrap.ts";
import { archiveKey, environmentsPrefix } from "../environment-keys.ts";
import type { Execution, InstallExecution, SandboxedExecution } from "../executor.ts";
import {
  checkPath,
  FILE_BYTES,
  OUTPUT_BYTES,
  pythonArguments,
  SNAPSHOT_BYTES,
  variables,
} from "../sandboxed.ts";
import { trustedVariables } from "../trusted.ts";
import { ownerNamespace } from "./owner.ts";
import { grantSeconds, type PodSettings } from "./settings.ts";

/** Largest tar of an environment that is kept: what S3 takes in one request. */
const ENVIRONMENT_TAR_BYTES = 5 * 1000 ** 3;

type Item = { readonly path: string; readonly url: string };
type Common = {
  /** The execution's own time. */
  readonly seconds: number;
  readonly inputs: readonly Item[];
  readonly outputs: readonly Item[];
  readonly outcome: { readonly get: string; readonly put: string };
};
export type Errand =
  | (Common & {
      readonly kind: "Sandboxed";
      /** For the supervisor: see runner/autoai_runner/supervise.py. The courier adds the sizes. */
      readonly request: Readonly<Record<string, unknown>>;
      readonly workspace?: string;
      readonly snapshot?: PostGrant;
      /** Tar of the environment, with the digest of its bytes; absent where it is mounted. */
      readonly environment?: { readonly url: string; readonly sha256: string };
      readonly totalBytes: number;
    })
  | (Common & {
      readonly kind: "Trusted";
      readonly verb: string;
      readonly request: unknown;
      readonly variables: Readonly<Record<string, string>>;
    })
  | (Common & {
      readonly kind: "Install";
      readonly packages: readonly string[];
      /** Lock to install as it is, instead of resolving. */
      readonly lock?: string;
      /** Whether it is placed on the claim; the store takes it as a tar otherwise. */
      readonly claim: boolean;
      /** Digests of environments that the store has. */
      readonly known: readonly string[];
      readonly keep: PostGrant;
    });

export type ErrandContext = {
  readonly grants: Grants;
  readonly settings: PodSettings;
  /** Sandboxed without a claim: SHA-256 of the archive of its environment. */
  readonly archive?: string;
  /** Install without a claim: digests of environments that the store has of this namespace. */
  readonly known?: readonly string[];
  /** Install: store key of a lock that is to be installed as it is. */
  readonly lockKey?: string;
};

/** Throws PlatformError InvalidPath where a path is not below the working directory. */
export async function errandOf(execution: Execution, context: ErrandContext): Promise<Errand> {
  const { grants } = context;
  const seconds = grantSeconds(execution.limits.seconds);
  const items = (paths: Readonly<Record<string, string>>, grant: (key: string) => Promise<string>) =>
    Promise.all(
      Object.entries(paths).map(async ([path, key]) => ({ path: checkPath(path), url: await grant(key) })),
    );
  const common: Common = {
    seconds: execution.limits.seconds,
    inputs: await items(execution.inputs, (key) => grants.grantGet(key, seconds)),
    outputs: await items(execution.outputs, (key) => grants.grantPut(key, seconds)),
    outcome: {
      get: await grants.grantGet(execution.outcomeKey, seconds),
      put: await grants.grantPut(execution.outcomeKey, seconds),
    },
  };
  switch (execution.kind) {
    case "Sandboxed":
      return sandboxed(execution, common, context, seconds);
    case "Trusted":
      return {
        ...common,
        kind: "Trusted",
        verb: execution.verb,
        request: execution.request,
        variables: trustedVariables({
          path: "/usr/local/bin:/usr/bin:/bin",
          runner: context.settings.runnerPath,
          temporary: "/tmp",
          cpus: execution.limits.cpus,
        }),
      };
    case "Install":
      return install(execution, common, context, seconds);
  }
}

async function sandboxed(
  execution: SandboxedExecution,
  common: Common,
  { grants, settings, archive }: ErrandContext,
  seconds: number,
): Promise<Errand> {
  const { workspace, snapshotPrefix, environment } = execution;
  const outputs = Object.keys(execution.outputs);
  return {
    ...common,
    kind: "Sandboxed",
    request: {
      python: `${ENVIRONMENT}/bin/python`,
      command: pythonArguments(execution.command, settings.runnerPath),
      variables: variables(execution.limits.cpus, ROOT, ENVIRONMENT),
      root: ROOT,
      namespace: true,
      user: null,
      inputs: Object.keys(execution.inputs),
      outputs,
      snapshot: snapshotPrefix !== undefined,
      workspaceBytes: 0,
      limits: execution.limits,
      outputBytes: OUTPUT_BYTES,
      fileBytes: FILE_BYTES,
    },
    totalBytes: SNAPSHOT_BYTES + outputs.length * (FILE_BYTES + 4096),
    ...(workspace === undefined ? {} : { workspace: await grants.grantGet(workspace, seconds) }),
    ...(snapshotPrefix === undefined
      ? {}
      : { snapshot: await grants.grantPost(snapshotPrefix, seconds, SNAPSHOT_BYTES) }),
    ...(archive === undefined
      ? {}
      : {
          environment: {
            url: await grants.grantGet(
              archiveKey(ownerNamespace(execution.owner), environment, archive),
              seconds,
            ),
            sha256: archive,
          },
        }),
  };
}

async function install(
  execution: InstallExecution,
  common: Common,
  { grants, settings, known, lockKey }: ErrandContext,
  seconds: number,
): Promise<Errand> {
  return {
    ...common,
    kind: "Install",
    packages: execution.packages,
    ...(lockKey === undefined ? {} : { lock: await grants.grantGet(lockKey, seconds) }),
    claim: settings.environmentsClaim !== undefined,
    known: known ?? [],
    keep: await grants.grantPost(
      environmentsPrefix(ownerNamespace(execution.owner)),
      seconds,
      ENVIRONMENT_TAR_BYTES,
    ),
  };
}
