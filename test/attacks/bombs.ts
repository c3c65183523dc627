/** Programs that take more than their share, and say so where they were let: each is bounded, so that it may be let. */
import type { Limits, Outcome } from "../../operator/sandbox/executor.ts";
import type { Got } from "./ledger.ts";

const MB = 1024 ** 2;
/** In which a bomb has no room. */
export const SMALL: Limits = {
  seconds: 20,
  cpus: 1,
  memoryBytes: 200 * MB,
  diskBytes: 8 * MB,
  processes: 10,
};

export type Bomb = {
  readonly name: string;
  readonly source: string;
  readonly how: string;
  /** Without the limit that stops it: in others, */
  readonly without: Partial<Limits>;
  /** and with a line of the supervisor taken out. */
  readonly patch?: readonly [before: string, after: string];
  readonly limits?: Partial<Limits>;
};

export const BOMBS: readonly Bomb[] = [
  {
    name: "a fork bomb",
    source:
      "import os, time\nfor _ in range(30):\n    if os.fork() == 0: time.sleep(1); os._exit(0)\ntime.sleep(1)\nprint('GOT 30 processes')\n",
    how: "with more processes allowed",
    without: { processes: 60 },
  },
  {
    name: "memory in several processes",
    source:
      "import os, time\nfor _ in range(3):\n    if os.fork() == 0: kept = bytearray(b'x') * (90 << 20); time.sleep(1.5); os._exit(0)\ntime.sleep(2)\nprint('GOT 270 MB')\n",
    how: "with more memory allowed",
    without: { memoryBytes: 900 * MB },
  },
  {
    name: "a full disk",
    source: "open('filled', 'wb').write(bytes(20 << 20))\nprint('GOT 20 MB')\n",
    how: "with more disk allowed",
    without: { diskBytes: 64 * MB },
  },
  {
    name: "a flood of small files, more inodes than are allowed",
    source:
      "import os, time\nfor n in range(120_000):\n    os.close(os.open(f'/tmp/{n}', os.O_CREAT | os.O_WRONLY))\ntime.sleep(2)\nprint('GOT 120,000 files')\n",
    how: "with inodes not counted",
    without: {},
    patch: ["INODES = 100_000", "INODES = 1 << 40"],
  },
  {
    name: "a flood of output with a terminal's escapes",
    source:
      "import os\nfor _ in range(1200): os.write(1, b'\\x1b[2J' + b'x' * 60_000 + b'\\n')\nprint('GOT 72 MB through')\n",
    how: "with output not counted",
    without: {},
    patch: ['return self._stop("TooMuchOutput")', "pass"],
  },
  {
    name: "time without end",
    source: "import time\ntime.sleep(3)\nprint('GOT three seconds')\n",
    how: "with more time allowed",
    without: {},
    limits: { seconds: 1 },
  },
];

/** What a bomb got: nothing, unless it ran to its end. */
export const bombGot = ({ ended, exitCode, output }: Outcome): Got =>
  ended === "Completed" && exitCode === 0 && (/GOT.*/.exec(output.head)?.[0] ?? "ran to its end");
