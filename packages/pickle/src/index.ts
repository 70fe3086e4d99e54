export { PickleError, type PickleErrorCode } from "./errors.ts";
export { type DType, dtypeFromDescr, isNumeric, type Kind } from "./numpy/dtype.ts";
export { type ArrayContent, NdArray } from "./numpy/nd-array.ts";
export { openPickle, type PickleFile, type ReadOptions, readPickle } from "./read.ts";
export { Bytes, fileSource, type Source } from "./source.ts";
export { describeValue, type PickleKey, type PickleValue } from "./values.ts";
