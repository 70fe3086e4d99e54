// Small models and their training on an engine: SDT and LMAM, dropout on, buckets with padding tokens.
import {
  createAdam,
  createLayout,
  createRandomSource,
  createSgd,
  crossEntropy,
  type Engine,
  foldKey,
  initialParameters,
  keyFromSeed,
  layoutTensors,
  type Optimizer,
  type Parameters,
  type RandomSource,
} from "@merclab/core";
import { createSdtEncoder, createTransformerEncoder, sdtEncoderOptions, transformerOptions } from "@merclab/encoders";
import { createLmam, lmamOptions } from "@merclab/fusion-lmam";
import {
  createSdtFusion,
  createSelfDistillation,
  sdtFusionOptions,
  selfDistillationOptions,
} from "@merclab/fusion-sdt";
import {
  assembleModel,
  type Model,
  type TrainingBatch,
  type TrainState,
  trainableParameters,
  trainStep,
} from "@merclab/trainer";
import { dispose, memory, softmax, type Tensor, type Tensor2D, tensor1d, tensor2d } from "@tensorflow/tfjs-core";

const LABELS = ["a", "b", "c"];
const DIMS = { text: 6, audio: 5, visual: 4 };
const site = {
  modalities: Object.entries(DIMS).map(([name, dim]) => ({ name, dim })),
  numSpeakers: 2,
};
const task = { type: "single-label" as const, classes: LABELS };

export function sdtModel(): Model {
  const encoder = createSdtEncoder(sdtEncoderOptions.parse({ dim: 8, numHeads: 2 }), site);
  const fusion = createSdtFusion(sdtFusionOptions.parse({}), encoder);
  const objective = createSelfDistillation(
    selfDistillationOptions.parse({ temperature: 2, classWeights: "inverse-frequency" }),
    {
      task,
      modalities: encoder.modalities,
      dim: 8,
      trainClassCounts: [3, 5, 2],
      trainUtterances: 10,
    },
  );
  return assembleModel({ encoder, fusion, objective }, task);
}

export function lmamModel(): Model {
  const encoder = createTransformerEncoder(transformerOptions.parse({ dim: 8, numHeads: 2, numLayers: 2 }), site);
  const fusion = createLmam(lmamOptions.parse({ rank: 2, attentionDropout: 0.3 }), encoder);
  const objective = {
    parameters: [],
    needs: new Set<never>(),
    loss: (_parameters: Parameters, logits: Tensor2D, _outputs: unknown, targets: TrainingBatch["targets"]) => {
      const total = crossEntropy(logits, targets, { focalGamma: 2 });
      return { total, terms: { task: total } };
    },
  };
  return assembleModel({ encoder, fusion, objective }, task);
}

export const adam = { lr: 1e-2, betas: [0.9, 0.999] as const, epsilon: 1e-8, weightDecay: 1e-2, maxGradientNorm: 1 };

/** Some dialogues; tokens and time are rounded up, so there are padding tokens and steps. */
function makeBatch(lengths: readonly number[]): TrainingBatch & { dispose(): void } {
  const used = lengths.reduce((sum, length) => sum + length, 0);
  const layout = createLayout(lengths, { tokens: used + 2, time: Math.max(...lengths) + 1 });
  const rows = (dim: number, seed: number) =>
    tensor2d(
      Float32Array.from({ length: layout.tokens * dim }, (_, i) => (i < used * dim ? Math.sin(seed + i * i) : 0)),
      [layout.tokens, dim],
    );
  const whole = (modulus: number) =>
    tensor1d(
      Int32Array.from({ length: layout.tokens }, (_, i) => (i * i) % modulus),
      "int32",
    );
  // The audio of the first utterance is missing.
  const audio = tensor1d(layout.tokenMask.dataSync().map((value, i) => (i === 0 ? 0 : value)));
  const inputs = {
    features: { text: rows(6, 1), audio: rows(5, 2), visual: rows(4, 3) },
    present: { text: layout.tokenMask, audio, visual: layout.tokenMask },
    speakers: whole(2),
    layout,
  };
  const labels = whole(LABELS.length);

  const tensors = [...layoutTensors(layout), audio, labels, inputs.speakers];
  return {
    inputs,
    targets: { labels, mask: layout.tokenMask },
    dispose: () => dispose([...tensors, ...Object.values(inputs.features)]),
  };
}

const stateTensors = ({ parameters, optimizer }: TrainState): Tensor[] => [
  ...Object.values(parameters),
  ...Object.values(optimizer),
];

/** Losses of all terms over some steps, the trained parameters, and probabilities after them. */
export async function train(engine: Engine, model: Model, optimizer: Optimizer, steps = 6) {
  await engine.start();
  const before = memory().numTensors;
  const batches = [makeBatch([4, 2, 3]), makeBatch([2, 5])];
  const parameters = initialParameters(model.parameters, keyFromSeed(3));
  let state: TrainState = { parameters, optimizer: optimizer.init(trainableParameters(model, parameters)) };
  const step = engine.compile(
    (current: TrainState, batch: TrainingBatch, random: RandomSource) =>
      trainStep(model, optimizer, current, batch, random),
    { donate: [0] },
  );
  const predict = engine.compile((current: Parameters, inputs: TrainingBatch["inputs"]) =>
    softmax(model.logits(current, inputs, {})),
  );
  const losses: Record<string, number>[] = [];
  for (let i = 0; i < steps; i++) {
    const { inputs, targets } = batches[i % 2] as TrainingBatch;
    const result = await step(state, { inputs, targets }, createRandomSource(foldKey(keyFromSeed(7), "step", i)));
    losses.push(
      Object.fromEntries(
        Object.entries(result.losses).map(([name, value]) => [name, value.dataSync()[0] ?? Number.NaN]),
      ),
    );
    const kept = new Set(stateTensors(result.state));
    dispose([...Object.values(result.losses), ...stateTensors(state).filter((tensor) => !kept.has(tensor))]);
    state = result.state;
  }
  const predicted = await predict(state.parameters, (batches[0] as TrainingBatch).inputs);
  const probabilities = [...predicted.dataSync()];
  const trained = Object.fromEntries(
    Object.entries(state.parameters).map(([name, tensor]) => [name, [...tensor.dataSync()]]),
  );
  dispose([predicted, ...stateTensors(state)]);
  for (const batch of batches) {
    batch.dispose();
  }
  await engine.dispose();
  return { losses, probabilities, trained, leaked: memory().numTensors - before };
}

export const optimizers: Readonly<Record<string, Optimizer>> = {
  "adam, coupled decay": createAdam({ ...adam, decay: "coupled" }),
  "adam, decoupled decay": createAdam({ ...adam, decay: "decoupled" }),
  "sgd with momentum": createSgd({ lr: 0.1, momentum: 0.9, weightDecay: 1e-3, maxGradientNorm: null }),
};
