// Two single runs on the same utterances (McNemar 1947): only the utterances count on which one is right and the other
// wrong. It treats utterances as independent, which those of a dialogue are not: it says something about two runs, and
// nothing about two methods.
import { binomialCdf } from "./distributions.ts";

export interface McNemarTest {
  /** Utterances that only the first run has right. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** Two-sided and exact: by the binomial distribution with p = 1/2. */
  readonly p: number;
}

/**
 * @param first `[utterances]`, whether the first run is right
 * @param second `[utterances]`, of the same utterances
 */
export function mcnemarTest(first: readonly boolean[], second: readonly boolean[]): McNemarTest {
  if (first.length !== second.length) {
    throw new RangeError(`mcnemarTest: expected the same utterances, got ${first.length} and ${second.length}`);
  }
  const onlyFirst = first.filter((right, i) => right && second[i] === false).length;
  const onlySecond = second.filter((right, i) => right && first[i] === false).length;
  const discordant = onlyFirst + onlySecond;
  const p = discordant === 0 ? 1 : Math.min(1, 2 * binomialCdf(Math.min(onlyFirst, onlySecond), discordant, 0.5));
  return { onlyFirst, onlySecond, p };
}
