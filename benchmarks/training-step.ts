// Milliseconds per training step of SDT on IEMOCAP's batches, on one engine (one engine per process; run the engines in
// turn to compare them). The first round compiles and is left out.
//   pnpm --filter @merclab/cli exec tsx "$PWD/benchmarks/training-step.ts" --engine onnx --dim 64 --data DIR
import { parseArgs } from "node:util";
import {
  createAdam,
  createEagerEngine,
  createRandomSource,
  type Engine,
  foldKey,
  initialParameters,
  keyFromSeed,
  type RandomSource,
} from "@merclab/core";
import { bucketOf, plugins as dataPlugins, epochBatches, packBatch } from "@merclab/data";
import { createSdtEncoder, sdtEncoderOptions } from "@merclab/encoders";
import { createOnnxEngine } from "@merclab/engine-onnx";
import {
  createSdtFusion,
  createSelfDistillation,
  sdtFusionOptions,
  selfDistillationOptions,
} from "@merclab/fusion-sdt";
import { assembleModel, type TrainingBatch, type TrainState, trainableParameters, trainStep } from "@merclab/trainer";
import { dispose, type Tensor } from "@tensorflow/tfjs-core";

const { values: options } = parseArgs({
  options: {
    engine: { type: "string", default: "onnx" },
    dim: { type: "string", default: "64" },
    batches: { type: "string", default: "7" },
    rounds: { type: "string", default: "4" },
    threads: { type: "string" },
    data: { type: "string" },
  },
});

function createEngine(): Engine {
  switch (options.engine) {
    case "onnx":
      return createOnnxEngine({ threads: options.threads === undefined ? null : Number(options.threads) });
    case "wasm":
    case "cpu":
      return createEagerEngine(options.engine);
    default:
      throw new Error(`--engine: expected onnx, wasm or cpu, got ${options.engine}`);
  }
}

async function loadDataset() {
  const name = options.data === undefined ? "synthetic" : "iemocap";
  const plugin = dataPlugins.find((each) => each.kind === "dataset" && each.name === name);
  if (plugin?.kind !== "dataset") {
    throw new Error(`no dataset ${name}`);
  }
  const source = plugin.create(plugin.options.parse({}), { dataRoot: options.data } as never);
  return (await (source as { load(): Promise<import("@merclab/core").LoadedDataset> }).load()).dataset;
}

const dim = Number(options.dim);
const dataset = await loadDataset();
const engine = createEngine();
await engine.start();
const encoder = createSdtEncoder(sdtEncoderOptions.parse({ dim }), dataset);
const fusion = createSdtFusion(sdtFusionOptions.parse({}), encoder);
const objective = createSelfDistillation(selfDistillationOptions.parse({}), {
  ...dataset,
  modalities: encoder.modalities,
  dim,
});
const model = assembleModel({ encoder, fusion, objective }, dataset.task);
const optimizer = createAdam({
  lr: 1e-4,
  betas: [0.9, 0.999],
  epsilon: 1e-8,
  weightDecay: 1e-5,
  decay: "coupled",
  maxGradientNorm: null,
});
const parameters = initialParameters(model.parameters, keyFromSeed(1));
let state: TrainState = { parameters, optimizer: optimizer.init(trainableParameters(model, parameters)) };
const step = engine.compile((current: TrainState, batch: TrainingBatch, random: RandomSource) =>
  trainStep(model, optimizer, current, batch, random),
);
const tensorsOf = (of: TrainState): Tensor[] => [...Object.values(of.parameters), ...Object.values(of.optimizer)];

const batches = epochBatches(dataset.splits.train, 16, keyFromSeed(3)).slice(0, Number(options.batches));
const first: number[] = [];
const steady: number[] = [];
const shapes = new Set<string>();
for (let round = 0; round < Number(options.rounds); round++) {
  for (const [i, dialogues] of batches.entries()) {
    const started = performance.now();
    const { inputs, targets, dispose: disposeBatch } = packBatch(dialogues, dataset.modalities, bucketOf(dialogues));
    if (targets === undefined) {
      throw new Error("training dialogues have labels");
    }
    const result = await step(state, { inputs, targets }, createRandomSource(foldKey(keyFromSeed(5), round, i)));
    result.losses.total?.dataSync();
    const kept = new Set(tensorsOf(result.state));
    dispose([...Object.values(result.losses), ...tensorsOf(state).filter((tensor) => !kept.has(tensor))]);
    state = result.state;
    disposeBatch();
    shapes.add(`${inputs.layout.tokens} x ${inputs.layout.time} x ${inputs.layout.batch}`);
    (round === 0 ? first : steady).push(performance.now() - started);
  }
}
steady.sort((a, b) => a - b);
await engine.dispose();
console.log(
  JSON.stringify({
    engine: options.engine,
    dim,
    dataset: dataset.name,
    shapes: [...shapes],
    firstRoundMs: first.map(Math.round),
    medianMs: Number((steady[steady.length >> 1] ?? Number.NaN).toFixed(1)),
    residentMiB: Math.round(process.memoryUsage().rss / 2 ** 20),
  }),
);
