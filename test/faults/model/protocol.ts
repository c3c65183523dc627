/**
 * The journal protocol as a machine: operators that lead by a Lease, ask, run and write, over a store and a network that lose, delay and repeat.
 * Small enough that every state of it can be visited (explore.ts), and the same as the product (replay.ts).
 *
 * A job is so many steps: the reply of an LLM, and the run of what it calls for. Entry 2k of the journal is the reply of step k+1, entry 2k+1
 * the result of its run.
 */

/** A reply is one of those that were paid for its step: the n-th. A result is that of the run of a reply. */
export type Entry = { readonly type: "Reply" | "Result"; readonly step: number; readonly paid: number };

/**
 * idle: between two reconciles. loaded: has read the journal. asking: waits for the LLM. ready: has the next entry, and has not sent it. writing: has
 * sent it. told: the store has answered, and the answer is on its way.
 */
export type Phase = "idle" | "loaded" | "asking" | "ready" | "writing" | "told";

export type Operator = {
  readonly phase: Phase;
  /** Believes that it leads. */
  readonly leads: boolean;
  /** Its lease ran out without its knowing, as that of a process which stood still. */
  readonly expired: boolean;
  /** Length of the journal as it read it. */
  readonly seen: number;
  readonly entry: Entry | null;
  /** Whether the store wrote it, as it is about to be told. */
  readonly written: boolean;
  /** A reply that was paid for and could not be written. */
  readonly kept: Entry | null;
};

export type State = {
  readonly journal: readonly Entry[];
  /** By step: replies that were made; those that may have been made in vain; runs of its code. */
  readonly paid: readonly number[];
  readonly excused: readonly number[];
  readonly ran: readonly number[];
  /** Who the Lease names. */
  readonly lease: number | null;
  readonly operators: readonly Operator[];
  /** Requests that were given up and are still on their way: where in the journal, and what. */
  readonly late: readonly { readonly at: number; readonly entry: Entry }[];
  /** Faults that may still happen. */
  readonly faults: number;
};

export type Bounds = { readonly steps: number; readonly operators: number; readonly faults: number };

/** What is wrong with the protocol, on purpose. */
export type Flaw =
  /** Entries are put without `If-None-Match: *`. */
  | "unconditional put"
  /** The store is asked whether the entry is there, and then it is put. */
  | "look, then put"
  /** Code is run when the reply is there, before that is in the journal. */
  | "runs before it is written"
  /** A reply that could not be written is asked for again. */
  | "forgets what it paid for"
  /** Who wants to lead leads. */
  | "no lease"
  /** Each operator has a name of its own for an execution. */
  | "executions named by operator";

export type Step = {
  readonly operator: number;
  readonly action:
    | "lead"
    | "expire"
    | "depose"
    | "crash"
    | "load"
    | "act"
    | "reply"
    | "lose reply"
    | "send"
    | "arrive"
    | "tell"
    | "lose answer"
    | "drop"
    | "give up"
    | "arrive late";
};

const AT_REST: Operator = {
  phase: "idle",
  leads: false,
  expired: false,
  seen: 0,
  entry: null,
  written: false,
  kept: null,
};

export function begin({ steps, operators, faults }: Bounds): State {
  const none = Array.from({ length: steps }, () => 0);
  return {
    journal: [],
    paid: none,
    excused: none,
    ran: none,
    lease: null,
    operators: Array.from({ length: operators }, () => AT_REST),
    late: [],
    faults,
  };
}

export const isComplete = ({ journal, paid }: State): boolean => journal.length >= 2 * paid.length;

/** Everything that can happen next. */
export function successors(state: State, flaw?: Flaw): { readonly step: Step; readonly state: State }[] {
  const found: { step: Step; state: State }[] = [];
  const add = (operator: number, action: Step["action"], next: State, isFault = false): void => {
    if (isFault && state.faults === 0) return;
    found.push({ step: { operator, action }, state: isFault ? { ...next, faults: state.faults - 1 } : next });
  };
  const [request, ...others] = state.late;
  if (request)
    add(0, "arrive late", write({ ...state, late: others }, request.at, request.entry, flaw).state);
  state.operators.forEach((operator, index) => {
    const put = (change: Partial<Operator>, from = state): State => ({
      ...from,
      operators: from.operators.map((one, at) => (at === index ? { ...one, ...change } : one)),
    });
    const { phase, leads, seen, entry, kept } = operator;
    if (!leads) {
      if (!isComplete(state) && (state.lease === null || flaw === "no lease"))
        add(index, "lead", put({ leads: true }, { ...state, lease: index }));
      return;
    }
    add(index, "crash", end(state, index), true);
    if (operator.expired) add(index, "depose", end(state, index));
    else if (state.lease === index)
      add(index, "expire", put({ expired: true }, { ...state, lease: null }), true);
    switch (phase) {
      case "idle":
        if (!isComplete(state)) add(index, "load", load(state, put, kept));
        break;
      case "loaded":
        add(index, "act", act(state, index, seen, put, flaw));
        break;
      case "asking":
        add(index, "reply", answered(put({ phase: "ready" }), entry, flaw));
        add(index, "lose reply", excuse(put({ phase: "idle", entry: null }), entry), true);
        break;
      case "ready":
        add(index, "send", put({ phase: "writing", written: state.journal.length <= seen }));
        break;
      case "writing": {
        if (!entry) break;
        const isFree = flaw === "look, then put" ? operator.written : undefined;
        const { state: after, written } = write(state, seen, entry, flaw, isFree);
        add(index, "arrive", put({ phase: "told", written }, after));
        const given = put({ phase: "idle", entry: null, written: false, kept: keep(entry, flaw) });
        add(index, "drop", given, true);
        add(index, "give up", { ...given, late: [...state.late, { at: seen, entry }] }, true);
        break;
      }
      case "told": {
        const over = { phase: "idle", entry: null, written: false } as const;
        add(index, "tell", put({ ...over, kept: null }));
        add(index, "lose answer", put({ ...over, kept: entry && keep(entry, flaw) }), true);
      }
    }
  });
  return found;
}

type Put = (change: Partial<Operator>, from?: State) => State;

function load(state: State, put: Put, kept: Entry | null): State {
  const seen = state.journal.length;
  const wanted = stepAt(seen);
  // What was paid for before is written, and not asked for again.
  if (isReplyAt(seen) && kept?.step === wanted) return put({ phase: "ready", seen, entry: kept });
  return put({ phase: "loaded", seen });
}

function act(state: State, index: number, seen: number, put: Put, flaw: Flaw | undefined): State {
  const step = stepAt(seen);
  if (!isReplyAt(seen)) {
    const reply = state.journal[seen - 1];
    const entry: Entry = { type: "Result", step, paid: reply?.paid ?? 0 };
    return run(put({ phase: "ready", entry }), step, flaw, index);
  }
  const paid = at(state.paid, step) + 1;
  const entry: Entry = { type: "Reply", step, paid };
  // Two led at once, of which one did not know that its lease was over: the other has the reply, or wrote it since this one read.
  const isExpired = state.operators[index]?.expired;
  const isDouble =
    state.journal.length > seen ||
    state.operators.some((other, one) => one !== index && holds(other, step) && (other.expired || isExpired));
  const asked = { ...state, paid: set(state.paid, step, paid) };
  const excused = isDouble ? set(state.excused, step, at(state.excused, step) + 1) : state.excused;
  return put({ phase: "asking", entry }, { ...asked, excused });
}

/** Code runs once: an execution has one name, and its outcome stays. */
function run(state: State, step: number, flaw: Flaw | undefined, index: number): State {
  const bit = flaw === "executions named by operator" ? 1 << index : 1;
  const before = at(state.ran, step);
  return { ...state, ran: set(state.ran, step, before | bit) };
}

function answered(state: State, entry: Entry | null, flaw: Flaw | undefined): State {
  return flaw === "runs before it is written" && entry ? run(state, entry.step, flaw, 0) : state;
}

/** What the store does with the entry: nothing where one stands. */
function write(
  state: State,
  place: number,
  entry: Entry,
  flaw: Flaw | undefined,
  isFree = state.journal.length <= place || flaw === "unconditional put",
): { readonly state: State; readonly written: boolean } {
  if (!isFree) return { state, written: false };
  const journal = [...state.journal];
  journal[place] = entry;
  return { state: { ...state, journal }, written: true };
}

/** The process is gone, and with it what it had in hand. */
function end(state: State, index: number): State {
  const operator = state.operators[index] ?? AT_REST;
  const operators = state.operators.map((one, at) => (at === index ? AT_REST : one));
  const lease = state.lease === index ? null : state.lease;
  return excuse({ ...state, operators, lease }, inHand(operator));
}

/** What was paid for is lost, unless it is in the journal. */
function excuse(state: State, entry: Entry | null): State {
  if (entry?.type !== "Reply" || state.journal[2 * (entry.step - 1)]?.paid === entry.paid) return state;
  return { ...state, excused: set(state.excused, entry.step, at(state.excused, entry.step) + 1) };
}

const keep = (entry: Entry, flaw: Flaw | undefined): Entry | null =>
  entry.type === "Reply" && flaw !== "forgets what it paid for" ? entry : null;
const inHand = ({ entry, kept }: Operator): Entry | null => entry ?? kept;
const holds = (operator: Operator, step: number): boolean => inHand(operator)?.step === step;
const isReplyAt = (place: number): boolean => place % 2 === 0;
const stepAt = (place: number): number => Math.floor(place / 2) + 1;
const at = (counts: readonly number[], step: number): number => counts[step - 1] ?? 0;
const set = (counts: readonly number[], step: number, count: number): number[] =>
  counts.map((one, index) => (index === step - 1 ? count : one));

/** What must hold in every state; the first thing that does not, or undefined. */
export function brokenIn(state: State): string | undefined {
  const { journal, paid, excused, ran, operators } = state;
  for (const [place, entry] of journal.entries()) {
    if (entry === undefined) return `the journal has no entry ${place}`;
    const isRight = entry.step === stepAt(place) && (entry.type === "Reply") === isReplyAt(place);
    if (!isRight) return `entry ${place} is a ${entry.type} of step ${entry.step}`;
    if (entry.type === "Result" && journal[place - 1]?.paid !== entry.paid)
      return `the result of step ${entry.step} is that of a reply that is not in the journal`;
  }
  for (let step = 1; step <= paid.length; step++) {
    if (at(paid, step) > 1 + at(excused, step)) return `step ${step} was paid for again without need`;
    if (at(ran, step) > 1) return `step ${step} ran more than once`;
    if (at(ran, step) > 0 && !journal[2 * (step - 1)])
      return `step ${step} ran before its reply was in the journal`;
  }
  for (const { phase, written, seen, entry } of operators)
    if (phase === "told" && written && JSON.stringify(journal[seen]) !== JSON.stringify(entry))
      return `an entry that the store said it wrote is not in the journal`;
  return undefined;
}

/** What must hold from one state to the next. */
export function brokenBetween(before: State, after: State): string | undefined {
  const isKept = before.journal.every(
    (entry, place) => JSON.stringify(entry) === JSON.stringify(after.journal[place]),
  );
  return isKept ? undefined : "an entry of the journal was written over";
}
