// How long the transfer of a file may take.

/** At least two minutes, and 1 s for each 2 MB. */
export function transferTimeoutMs(bytes: number): number {
  return Math.max(120_000, bytes / 2_000);
}
