// The distributions in use, by the names of the field. stdlib's packages are CommonJS, which types see as a default.
import binomialCdf from "@stdlib/stats-base-dists-binomial-cdf";
import chiSquarePdf from "@stdlib/stats-base-dists-chisquare-pdf";
import normalCdf from "@stdlib/stats-base-dists-normal-cdf";
import normalQuantile from "@stdlib/stats-base-dists-normal-quantile";
import studentCdf from "@stdlib/stats-base-dists-t-cdf";
import quantile from "@stdlib/stats-base-dists-t-quantile";

export { binomialCdf, chiSquarePdf, normalCdf, normalQuantile, studentCdf };

/** By probability and degrees of freedom. */
const quantiles = new Map<number, Map<number, number>>();

/** Of Student's t. A table asks for few, thousands of times, and each is found by iteration: they are kept. */
export function studentQuantile(probability: number, degrees: number): number {
  const ofProbability = quantiles.get(probability) ?? new Map<number, number>();
  quantiles.set(probability, ofProbability);
  const known = ofProbability.get(degrees) ?? quantile(probability, degrees);
  ofProbability.set(degrees, known);
  return known;
}

/** P(|T| ≥ |t|) for Student's t. */
export function twoSidedStudent(t: number, degrees: number): number {
  return Math.min(1, 2 * studentCdf(-Math.abs(t), degrees));
}
