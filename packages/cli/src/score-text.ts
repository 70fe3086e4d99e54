// A score as people read it: shares in per cent, everything else in its own unit.
import { metricDescriptor } from "@merclab/core";

/** 0.7831 as 78.31 for a share; 0.94519 as 0.945 for an error. */
export function scoreText(metric: string, value: number): string {
  return metricDescriptor(metric).unit === "share" ? (100 * value).toFixed(2) : value.toFixed(3);
}
