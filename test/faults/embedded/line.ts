/** The line between one operator and the world: everything that it asks goes through here, and may meet a fault. */
import { ConflictError } from "../../../operator/cluster/cluster.ts";
import { ApiError } from "../../../operator/cluster/kubernetes/api-server.ts";
import { LlmUnavailableError } from "../../../operator/llm/language-model.ts";
import { PodRefusedError } from "../../../operator/sandbox/pods/pods.ts";
import { StoreError } from "../../../operator/storage/artifact-store.ts";
import type { Random } from "./random.ts";
import type { Episode, Fault, Schedule, Seam } from "./schedule.ts";
import { sleep } from "./virtual-time.ts";

const NEVER = new Promise<never>(() => undefined);

/** Which faults there are just now, and how often each one struck. */
export class Weather {
  /** By `fault at seam`. */
  readonly struck = new Map<string, number>();
  readonly random: Random;
  readonly #episodes: readonly Episode[];
  readonly #seconds: () => number;

  constructor({ episodes }: Pick<Schedule, "episodes">, random: Random, seconds: () => number) {
    this.#episodes = episodes;
    this.random = random;
    this.#seconds = seconds;
  }

  draw(seam: Seam, isWrite: boolean): Fault | undefined {
    const now = this.#seconds();
    for (const { seam: at, fault, from, until, share } of this.#episodes) {
      if (at !== seam || now < from || now > until || (fault === "full" && !isWrite)) continue;
      if (!this.random.chance(share)) continue;
      this.count(`${fault} at the ${seam}`);
      return fault;
    }
    return undefined;
  }

  count(what: string): void {
    this.struck.set(what, (this.struck.get(what) ?? 0) + 1);
  }
}

/** Seconds until a request is given up, and how long one may be on its way at most. */
const GIVEN_UP: Readonly<Record<Seam, number>> = {
  API: 15,
  watch: 15,
  pods: 15,
  store: 20,
  LLM: 400,
  lease: 5,
};
const LONGEST_DELAY: Readonly<Record<Seam, number>> = {
  API: 14,
  watch: 20,
  pods: 14,
  store: 40,
  LLM: 120,
  lease: 8,
};

export class Line {
  readonly weather: Weather;
  isDead = false;
  /** Whether it ever stood still. */
  wasStopped = false;
  /** Dies at its so-manieth call from now. */
  doom: { calls: number; readonly before: boolean; readonly onDeath: () => void } | undefined;
  #goesOn: Promise<void> = Promise.resolve();

  constructor(weather: Weather) {
    this.weather = weather;
  }

  /** From now on nothing that it does has an effect, and nothing comes back to it. */
  cut(): void {
    this.isDead = true;
  }

  /** Nothing passes for so many seconds; then all goes on. */
  stop(seconds: number): void {
    this.wasStopped = true;
    this.#goesOn = sleep(seconds);
  }

  /**
   * @param arrives what the world does when the call arrives; told whether whoever asked has given it up by then, or is no more
   * @param isWrite whether that can change anything
   */
  async call<T>(seam: Seam, arrives: (isLate: boolean) => Promise<T>, isWrite: boolean): Promise<T> {
    const carryOut = (): Promise<T> => arrives(this.isDead || this.wasStopped);
    const fate = this.#fate();
    if (fate === "before") this.doom?.onDeath();
    await this.#gate();
    try {
      return await this.#arrive(seam, carryOut, () => arrives(true), isWrite);
    } finally {
      if (fate === "after") this.doom?.onDeath();
      await this.#gate();
    }
  }

  #fate(): "before" | "after" | undefined {
    if (!this.doom || --this.doom.calls >= 0) return undefined;
    return this.doom.before ? "before" : "after";
  }

  async #gate(): Promise<void> {
    if (this.isDead) await NEVER;
    await this.#goesOn;
    if (this.isDead) await NEVER;
  }

  async #arrive<T>(
    seam: Seam,
    carryOut: () => Promise<T>,
    carryOutLate: () => Promise<T>,
    isWrite: boolean,
  ): Promise<T> {
    const { random } = this.weather;
    const fault = this.weather.draw(seam, isWrite);
    switch (fault) {
      case undefined:
        // So that operators come in each other's way in ever other orders.
        if (random.chance(0.1)) await sleep(random.between(0.001, 0.2));
        return carryOut();
      case "delay": {
        const seconds = random.between(0.1, LONGEST_DELAY[seam]);
        const before = random.between(0, seconds);
        await sleep(before);
        const answer = await carryOut();
        await sleep(seconds - before);
        return answer;
      }
      case "duplicate":
        await carryOut();
        return carryOut();
      case "drop":
        await sleep(GIVEN_UP[seam]);
        throw unreached(seam);
      case "cut":
        await carryOut();
        throw unreached(seam);
      case "late":
        void sleep(GIVEN_UP[seam] + random.between(0.1, 20))
          .then(carryOutLate)
          .catch(() => undefined);
        await sleep(GIVEN_UP[seam]);
        throw unreached(seam);
      default:
        throw refusal(seam, fault, random);
    }
  }
}

/** As the adapters of the product say that nothing came back. */
function unreached(seam: Seam): Error {
  switch (seam) {
    case "store":
      return new StoreError("StoreUnavailable", "the store did not answer");
    case "LLM":
      return new LlmUnavailableError("the service did not answer");
    default:
      return new TypeError("fetch failed");
  }
}

/** As the adapters of the product say that this status came back. */
function refusal(seam: Seam, fault: Fault, random: Random): Error {
  switch (seam) {
    case "store":
      return new StoreError("StoreUnavailable", `the store answered ${fault}`);
    case "LLM":
      return new LlmUnavailableError(
        `the service answered ${fault}`,
        fault === "429" ? random.between(1, 60) : undefined,
      );
    case "pods":
      if (fault === "quota") return new PodRefusedError("QuotaExceeded", "exceeded quota: pods");
      return new ApiError(Number(fault), "Unavailable", `the API server answered ${fault}`);
    default:
      if (fault === "409") return new ConflictError("the object has been modified");
      return new ApiError(Number(fault), "Unavailable", `the API server answered ${fault}`);
  }
}
