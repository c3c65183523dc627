/**
 * Time that passes only when nothing is left to do: timers, `Date`, `performance` and `AbortSignal.timeout` of this process follow it while it
 * is installed. Hours of a schedule take milliseconds, and the same seed makes the same run.
 */
import { install } from "@sinonjs/fake-timers";

export const START = Date.parse("2026-01-01T00:00:00Z");

const realImmediate = setImmediate;
const realTimeout = AbortSignal.timeout;

/** Resolves once every promise that could be settled is: nothing here waits for anything outside the process. */
const settled = (): Promise<void> => new Promise((resolve) => realImmediate(resolve));

export class VirtualTime implements Disposable {
  readonly #clock = install({
    now: START,
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"],
  });

  constructor() {
    AbortSignal.timeout = (milliseconds) => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new DOMException("too late", "TimeoutError")), milliseconds);
      return controller.signal;
    };
  }

  /** Seconds since it began. */
  get seconds(): number {
    return (Date.now() - START) / 1000;
  }

  /** Timers that wait, with intervals. */
  get timers(): number {
    return this.#clock.countTimers();
  }

  /** Lets time pass until that is so; false where so many seconds did not suffice. */
  async pass(isOver: () => boolean, seconds: number): Promise<boolean> {
    const end = this.seconds + seconds;
    // So that there is a next moment even where nothing waits for anything.
    const ticks = setInterval(() => undefined, 1000);
    try {
      for (;;) {
        await settled();
        if (isOver()) return true;
        if (this.seconds >= end) return false;
        this.#clock.next();
      }
    } finally {
      clearInterval(ticks);
    }
  }

  [Symbol.dispose](): void {
    this.#clock.uninstall();
    AbortSignal.timeout = realTimeout;
  }
}

export function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
