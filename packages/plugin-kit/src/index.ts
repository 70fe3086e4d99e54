export { checkLaw, checkLaws } from "./check-laws.ts";
export { type FuseRequest, fuse } from "./fuse.ts";
export type { Finding, Law, LawReport } from "./law.ts";
export { LAWS } from "./laws/index.ts";
export {
  type Batch,
  batchOf,
  batchWithHoles,
  CLASSES,
  DIMS,
  LENGTHS,
  MODALITIES,
  pickRows,
  type TensorBatch,
  toTensors,
} from "./material/batch.ts";
export { drawnParameters, logitsOf, lossOf, randomOf } from "./material/evaluate.ts";
export { NEW_KINDS, type NewKind, type NewPlugin, newPlugin } from "./scaffold/index.ts";
export { modelOf, type Subject, TESTED_KINDS, type TestedKind } from "./subject.ts";
export { type Surrounded, subjectOf } from "./subject-of.ts";
