export { holmCorrection } from "./holm.ts";
export { bootstrapInterval, type Interval, studentInterval } from "./intervals.ts";
export { type McNemarTest, mcnemarTest } from "./mcnemar.ts";
export { drawDialogues, type PairedBootstrap, pairedBootstrap } from "./paired-bootstrap.ts";
export { isPairedPAbove, type PairedTest, pairedEquivalence, pairedTTest } from "./paired-t.ts";
export { type Design, detectableDifference, pairedPower, seedsNeeded } from "./sample-size.ts";
export { almostStochasticOrder, violationRatio } from "./stochastic-order.ts";
