/** What a person is told of a failure of this machine. */

/**
 * While it is tried again: one line, without the way that led to it.
 * @param folder of the home
 */
export function briefly(message: string, folder: string): string {
  if (isDiskFull(message)) return `the disk of ${folder} is full`;
  const lines = message.trim().split("\n");
  // Python says what was wrong at the end of its traceback; all others at the beginning.
  const line = /^Traceback/m.test(message) ? lines.at(-1) : lines[0];
  return line?.trim() || "it failed without a word";
}

/**
 * Once it was given up: all that is known, and what can be done about it, where that is known.
 * @param folder of the home
 */
export function withRemedy(message: string, folder: string): string {
  if (!isDiskFull(message)) return message;
  return `the disk of ${folder} is full: free some room, and run the same command again. It goes on where it was.`;
}

const isDiskFull = (message: string): boolean =>
  /ENOSPC|EDQUOT|No space left on device|Disk quota exceeded/.test(message);
