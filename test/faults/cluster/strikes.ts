/** Signals to processes of a real cluster, as a plan has them; whoever stands still goes on in the end. */
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { processesOf, processesOfComponent } from "../../cluster/processes.ts";
import { type Incident, type Phase, phaseOf, type Victim } from "./plan.ts";
import type { SeenPod } from "./sight.ts";
import { SERVED, type World } from "./world.ts";

/** One that hit. Milliseconds since the epoch. */
export type Strike = {
  readonly incident: Incident;
  readonly at: number;
  /** When it went on again, or is known to be back. */
  until: number;
  /** uid of the pod that was hit, where it was one. */
  readonly pod: string | undefined;
};

/** A process; and the uid of its pod, where it has one. */
type Found = { readonly id: number; readonly pod: string | undefined };

/** What the command lines of victims in pods have. */
const WORDS: Readonly<Partial<Record<Victim, string>>> = {
  courier: "autoai_runner.courier",
  "tool pod": "autoai_runner.supervise",
  "inference front": "inference-server/server.js",
  "inference worker": "autoai_runner.serve.worker",
  MinIO: "minio server",
};
/** How the names of their pods begin; where absent, the phase's own pod is meant. */
const PODS: Readonly<Partial<Record<Victim, string>>> = {
  "inference front": SERVED,
  "inference worker": SERVED,
  MinIO: "store",
};
const COMPONENTS: Readonly<Partial<Record<Victim, string>>> = {
  kubelet: "kubelet",
  "API server": "kube-apiserver",
};
/** How long a process is looked for, once its phase has begun. */
const LOOK_SECONDS = 15;

export class Strikes {
  readonly done: Strike[] = [];
  readonly #world: World;
  readonly #jobs: readonly string[];
  readonly #waiting: Set<Incident>;
  readonly #under: Promise<void>[] = [];
  readonly #stopped = new Set<number>();
  readonly #over = new AbortController();

  /** @param jobs names, by their number in the plan */
  constructor(world: World, jobs: readonly string[], incidents: readonly Incident[]) {
    this.#world = world;
    this.#jobs = jobs;
    this.#waiting = new Set(incidents);
  }

  sawPod(pod: SeenPod): void {
    const phase = phaseOf(pod.name);
    if (phase !== undefined && pod.job !== undefined) this.#begins(phase, pod.job, pod);
  }

  asked(job: string): void {
    this.#begins("LLM call", job);
  }

  serving(): void {
    this.#begins("serving");
  }

  /** Resolves once whoever was to be hit by now was, and goes on again. */
  async settled(): Promise<void> {
    for (let seen = -1; seen < this.#under.length; ) {
      seen = this.#under.length;
      await Promise.all(this.#under);
    }
  }

  /** Nothing is hit any more, and all go on. */
  async end(): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#under);
    for (const id of this.#stopped) signal(id, "SIGCONT");
  }

  #begins(phase: Phase, job?: string, pod?: SeenPod): void {
    for (const incident of this.#waiting) {
      if (incident.phase !== phase || (job !== undefined && this.#jobs[incident.job] !== job)) continue;
      if (incident.victim === "tool pod" && !pod?.hasCode) continue;
      this.#waiting.delete(incident);
      this.#under.push(this.#strike(incident, pod));
    }
  }

  async #strike(incident: Incident, pod: SeenPod | undefined): Promise<void> {
    const hit =
      incident.victim === "operator"
        ? await this.#hitOperator(incident)
        : await this.#hitProcess(incident, pod);
    // It was not there, or was gone too soon: the next one of the phase.
    if (!hit) this.#waiting.add(incident);
  }

  async #hitOperator(incident: Incident): Promise<boolean> {
    const { operators } = this.#world;
    await this.#pause(incident.delay);
    const leader = await operators.leader();
    if (!leader || this.#over.signal.aborted) return false;
    const strike: Strike = { incident, at: Date.now(), until: Number.POSITIVE_INFINITY, pod: undefined };
    this.done.push(strike);
    if (incident.signal === "SIGKILL") operators.kill(leader, incident.seconds);
    else {
      operators.stop(leader);
      await this.#pause(incident.seconds);
      leader.child.kill("SIGCONT");
    }
    strike.until = Date.now();
    return true;
  }

  async #hitProcess(incident: Incident, pod: SeenPod | undefined): Promise<boolean> {
    const found = await this.#find(incident.victim, pod);
    await this.#pause(incident.delay);
    if (!found || this.#over.signal.aborted || !signal(found.id, incident.signal)) return false;
    const strike: Strike = { incident, at: Date.now(), until: Number.POSITIVE_INFINITY, pod: found.pod };
    this.done.push(strike);
    if (incident.signal === "SIGSTOP") {
      this.#stopped.add(found.id);
      await this.#pause(incident.seconds);
      signal(found.id, "SIGCONT");
      this.#stopped.delete(found.id);
    }
    strike.until = Date.now();
    return true;
  }

  async #find(victim: Victim, pod: SeenPod | undefined): Promise<Found | undefined> {
    const deadline = Date.now() + LOOK_SECONDS * 1000;
    while (Date.now() < deadline && !this.#over.signal.aborted) {
      const found = this.#look(victim, pod);
      if (found) return found;
      if (pod?.isGone) return undefined;
      await this.#pause(0.05);
    }
    return undefined;
  }

  #look(victim: Victim, pod: SeenPod | undefined): Found | undefined {
    const component = COMPONENTS[victim];
    if (component !== undefined) {
      const [id] = processesOfComponent(dirname(String(this.#world.cluster.kubeconfig)), component);
      return id === undefined ? undefined : { id, pod: undefined };
    }
    const prefix = PODS[victim];
    const pods =
      prefix === undefined ? [pod] : this.#world.sight.present(({ name }) => name.startsWith(prefix));
    for (const one of pods) {
      const [id] = one === undefined ? [] : processesOf(one.uid, WORDS[victim] ?? "");
      if (id !== undefined) return { id, pod: one?.uid };
    }
    return undefined;
  }

  #pause(seconds: number): Promise<void> {
    return sleep(seconds * 1000, undefined, { signal: this.#over.signal }).catch(() => undefined);
  }
}

/** Whether there was such a process. */
function signal(id: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(id, name);
  } catch {
    return false;
  }
}
