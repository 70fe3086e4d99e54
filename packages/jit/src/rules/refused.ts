// Kernels of tfjs that have no rule, and what to do instead.

const IMAGES = "images are prepared before training; do it outside the compiled function";
const STRINGS = "a graph has no strings; encode them outside the compiled function";
const COMPLEX = "a graph has no complex numbers; compute spectra outside the compiled function and pass real tensors";
const SHAPE = "the shape of its result depends on values, and a graph has fixed shapes";
const COMPOSED = "tfjs makes the op of that name of other kernels, which have rules";

export const REFUSED: ReadonlyMap<string, string> = new Map(
  Object.entries({
    BroadcastArgs: "its operands are shapes, which are known while tracing; broadcast them in JavaScript",
    Complex: COMPLEX,
    ComplexAbs: COMPLEX,
    CropAndResize: IMAGES,
    Dilation2D: "morphology has no op in ONNX; do it outside the compiled function",
    Dilation2DBackpropFilter: "morphology has no op in ONNX; do it outside the compiled function",
    Dilation2DBackpropInput: "morphology has no op in ONNX; do it outside the compiled function",
    Draw: IMAGES,
    FFT: COMPLEX,
    FromPixels: IMAGES,
    IFFT: COMPLEX,
    Imag: COMPLEX,
    LowerBound: COMPOSED,
    MatrixBandPart: COMPOSED,
    Multinomial: "it draws random numbers, which would be the same in every run; draw on the host and pass them in",
    NonMaxSuppressionV3: `${SHAPE}; select boxes outside the compiled function`,
    NonMaxSuppressionV4: `${SHAPE}; select boxes outside the compiled function`,
    NonMaxSuppressionV5: `${SHAPE}; select boxes outside the compiled function`,
    Pool: COMPOSED,
    RaggedGather: `${SHAPE}; pad the rows and pass a mask`,
    RaggedRange: `${SHAPE}; pad the rows and pass a mask`,
    RaggedTensorToTensor: `${SHAPE}; pad the rows outside the compiled function`,
    Real: COMPLEX,
    ResizeBilinear: IMAGES,
    ResizeBilinearGrad: IMAGES,
    ResizeNearestNeighbor: IMAGES,
    ResizeNearestNeighborGrad: IMAGES,
    RotateWithOffset: IMAGES,
    SparseFillEmptyRows: `${SHAPE}; fill the rows outside the compiled function`,
    SparseReshape:
      "its operands are shapes, which are known while tracing; compute the new indices by arithmetic on the old ones",
    SparseSegmentMean: `${SHAPE}; divide unsortedSegmentSum(gather(data, indices), segmentIds, count) by the rows' numbers`,
    SparseSegmentSum: `${SHAPE}; use unsortedSegmentSum(gather(data, indices), segmentIds, count)`,
    StaticRegexReplace: STRINGS,
    StringNGrams: STRINGS,
    StringSplit: STRINGS,
    StringToHashBucketFast: STRINGS,
    Transform: IMAGES,
    Unique: `${SHAPE}; find distinct values outside the compiled function`,
    UpperBound: COMPOSED,
  }),
);
