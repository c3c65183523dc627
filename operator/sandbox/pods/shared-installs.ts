/**
 * Installations of the same packages that are asked for at the same time, by many jobs: the first is made, and the others are given what
 * came of it. By what is asked for: which environment that makes is known only once it is resolved.
 */
import type { InstallExecution } from "../executor.ts";
import { ownerNamespace } from "./owner.ts";

type Leader<Of> = {
  readonly execution: InstallExecution;
  readonly followers: Set<Of>;
  /** Resolves when it has ended, well or not; never rejects. */
  readonly ended: Promise<void>;
};

/** @typeParam Of who follows, to be told of troubles */
export class SharedInstalls<Of> {
  readonly #leaders = new Map<string, Leader<Of>>();

  /**
   * @param make makes the installation
   * @param take takes over what came of another one, if anything did
   */
  async run(
    execution: InstallExecution,
    who: Of,
    signal: AbortSignal,
    make: () => Promise<void>,
    take: (from: InstallExecution) => Promise<boolean>,
  ): Promise<void> {
    const key = keyOf(execution);
    for (let leader = this.#leaders.get(key); leader !== undefined; leader = this.#leaders.get(key)) {
      leader.followers.add(who);
      try {
        await Promise.race([leader.ended, aborted(signal)]);
        signal.throwIfAborted();
        if (await take(leader.execution)) return;
        signal.throwIfAborted();
      } finally {
        leader.followers.delete(who);
      }
    }
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    this.#leaders.set(key, { execution, followers: new Set(), ended });
    try {
      await make();
    } finally {
      this.#leaders.delete(key);
      resolve();
    }
  }

  /** Who waits for this installation. */
  followersOf(execution: InstallExecution): readonly Of[] {
    const leader = this.#leaders.get(keyOf(execution));
    return leader?.execution === execution ? [...leader.followers] : [];
  }
}

/** Environments belong to a namespace where they lie on a claim. */
function keyOf({ owner, packages, limits }: InstallExecution): string {
  return JSON.stringify([ownerNamespace(owner), [...packages].sort(), limits]);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
