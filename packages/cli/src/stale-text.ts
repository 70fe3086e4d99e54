// What a user reads of stored trials that no plan names any more.
import type { StoredTrial } from "@merclab/runner";

/** @param experiment as it was typed. @returns nothing where none is stale */
export function staleLines(stale: readonly StoredTrial[], experiment: string): string[] {
  if (stale.length === 0) {
    return [];
  }
  const those =
    stale.length === 1
      ? "1 stored trial is stale: its config or data"
      : `${stale.length} stored trials are stale: their config or data`;
  return [`${those} changed since. No table shows them, and they stay; "exp clean ${experiment}" removes them.`];
}
