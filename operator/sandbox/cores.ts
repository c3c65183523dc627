/** The cores of a machine, lent to executions in the order in which they ask. */

type Waiting = { readonly cores: number; readonly go: () => void };

export class Cores {
  readonly #all: number;
  readonly #waiting: Waiting[] = [];
  #free: number;

  constructor(all: number) {
    this.#all = all;
    this.#free = all;
  }

  /**
   * Waits for so many cores, rounded up; for all there are where more are asked for. First come, first served, so that
   * one that needs many is not passed over for ever. The function returned gives them back, once.
   */
  async take(wanted: number): Promise<() => void> {
    const cores = Math.min(this.#all, Math.max(1, Math.ceil(wanted)));
    await new Promise<void>((go) => {
      this.#waiting.push({ cores, go });
      this.#lend();
    });
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#free += cores;
      this.#lend();
    };
  }

  #lend(): void {
    for (let next = this.#waiting[0]; next && next.cores <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.cores;
      next.go();
    }
  }
}
