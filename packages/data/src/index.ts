export { type Buckets, bucketsOfBatches, bucketsOfTraining } from "./batches/bucket.ts";
export { epochBatches, evaluationBatches, type IndexedBatch, restoreOrder } from "./batches/order.ts";
export {
  type HostBatch,
  type PackedBatch,
  packBatch,
  packHostBatch,
  packRows,
  unpackRows,
} from "./batches/pack.ts";
export { type FileFormat, type OpenedFile, openFile } from "./files/open-file.ts";
export {
  checkFolder,
  type FolderReport,
  type SplitReport,
} from "./folder/check-folder.ts";
export { KNOWN_SETS, type KnownSet, shippedDescription } from "./folder/described-folder.ts";
export { type FolderDescription, folderSchema } from "./folder/description.ts";
export { SPLIT_KINDS, type SplitRule } from "./folder/folds.ts";
export type { SharedSpeakers } from "./folder/leaks.ts";
export { type FoldReport, listFolds } from "./folder/list-folds.ts";
export { type FolderOptions, type LoadedFolder, loadFolder } from "./folder/load-folder.ts";
export { type Expected, loadObserved, type ObservedFolder } from "./folder/load-observed.ts";
export type { ModalityReport } from "./folder/modality-report.ts";
export type { Problem } from "./folder/problems.ts";
export { type ImportReport, type ImportRequest, importFile } from "./import/import-file.ts";
export { LAYOUTS } from "./import/layouts/index.ts";
export { decodeNpz, encodeNpz, type NpzEntry } from "./npy/npz.ts";
export { cmuMosiPlugin, folderPlugin, iemocapPlugin, meldPlugin } from "./plugins/folders.ts";
export { plugins } from "./plugins/index.ts";
export { syntheticPlugin } from "./plugins/synthetic.ts";
export { addTextFeatures, type TextFeaturesReport, type TextFeaturesRequest } from "./text/add-text-features.ts";
export { type DescribedIssue, describeIssues, pathToString } from "./yaml/issues.ts";
export { type ParsedYaml, parseYaml, readYamlFile } from "./yaml/parse-yaml.ts";
