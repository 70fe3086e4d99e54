// The distributions in use, by the names of the field. stdlib's packages are CommonJS, which types see as a default.
import binomialCdf from "@stdlib/stats-base-dists-binomial-cdf";
import chiSquarePdf from "@stdlib/stats-base-dists-chisquare-pdf";
import normalCdf from "@stdlib/stats-base-dists-normal-cdf";
import normalQuantile from "@stdlib/stats-base-dists-normal-quantile";
import studentCdf from "@stdlib/stats-base-dists-t-cdf";
import quantile from "@stdlib/stats-base-dists-t-quantile";

export { binomialCdf, chiSquarePdf, normalCdf, normalQuantile, studentCdf };

const quantiles = new Map<string, number>();

/** Of Student's t. A table asks for few, thousands of times, and each is found by iteration: they are kept. */
export function studentQuantile(probability: number, degrees: number): number {
  const key = `${probability} ${degrees}`;
  const known = quantiles.get(key) ?? quantile(probability, degrees);
  quantiles.set(key, known);
  return known;
}

/** P(|T| ≥ |t|) for Student's t. */
export function twoSidedStudent(t: number, degrees: number): number {
  return Math.min(1, 2 * studentCdf(-Math.abs(t), degrees));
}
