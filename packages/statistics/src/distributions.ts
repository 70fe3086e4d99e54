// The distributions in use, by the names of the field. stdlib's packages are CommonJS, which types see as a default.
import binomialCdf from "@stdlib/stats-base-dists-binomial-cdf";
import chiSquarePdf from "@stdlib/stats-base-dists-chisquare-pdf";
import normalCdf from "@stdlib/stats-base-dists-normal-cdf";
import normalQuantile from "@stdlib/stats-base-dists-normal-quantile";
import studentCdf from "@stdlib/stats-base-dists-t-cdf";
import studentQuantile from "@stdlib/stats-base-dists-t-quantile";

export { binomialCdf, chiSquarePdf, normalCdf, normalQuantile, studentCdf, studentQuantile };

/** P(|T| ≥ |t|) for Student's t. */
export function twoSidedStudent(t: number, degrees: number): number {
  return Math.min(1, 2 * studentCdf(-Math.abs(t), degrees));
}
