/** What a person can do about a failure of this machine, where that is known. */

/** @param folder of the home */
export function withRemedy(message: string, folder: string): string {
  if (!/ENOSPC|EDQUOT|No space left on device|Disk quota exceeded/.test(message)) return message;
  return `${message}\nThe disk of ${folder} is full: free some room, and run the same command again. It goes on where it was.`;
}
