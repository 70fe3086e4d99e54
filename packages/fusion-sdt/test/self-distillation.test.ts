// The self-distillation loss against section 4 written out: terms, weights, masks, gradients, options.
import {
  type Context,
  countParameters,
  createRandomSource,
  keyFromSeed,
  type Loss,
  MerclabError,
  valueAndGradients,
} from "@merclab/core";
import { memory, type Tensor, tensor1d, tidy } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { createSelfDistillation, selfDistillationOptions } from "../src/index.ts";
import {
  affine,
  ENGINES,
  expectClose,
  flatten,
  type HostStreams,
  type Rows,
  startEngine,
  sum,
  toMatrix,
  toStreams,
  wave,
} from "./support.ts";

const NAMES = ["text", "audio", "visual"];
const DIM = 4;
const CLASSES = 3;
const COUNTS = [2, 5, 3];

type Options = Readonly<Record<string, unknown>>;

interface Given {
  readonly logits: Rows;
  readonly streams: HostStreams;
  readonly labels: readonly number[];
  /** 1 = counts. */
  readonly mask: readonly number[];
  /** Weight and bias of each student. */
  readonly students: Readonly<Record<string, { readonly weight: Rows; readonly bias: readonly number[] }>>;
}

function given(tokens: number, at = 0, modalities: readonly string[] = NAMES): Given {
  return {
    logits: wave(tokens, CLASSES, at),
    streams: Object.fromEntries(modalities.map((name, m) => [name, wave(tokens, DIM, at + 3 * m + 1)])),
    labels: Array.from({ length: tokens }, (_, i) => (i + at) % CLASSES),
    mask: Array<number>(tokens).fill(1),
    students: Object.fromEntries(
      modalities.map((name, m) => [
        name,
        { weight: wave(CLASSES, DIM, at + 7 * m + 20), bias: wave(1, CLASSES, at + m + 30)[0] ?? [] },
      ]),
    ),
  };
}

const SHORT: Readonly<Record<string, string>> = { text: "t", audio: "a", visual: "v" };
const student = (name: string) => `${SHORT[name] ?? name}_output_layer.2`;

const objectiveOf = (options: Options, modalities: readonly string[] = NAMES) =>
  createSelfDistillation(selfDistillationOptions.parse(options), {
    task: { type: "single-label", classes: ["x", "y", "z"] },
    modalities,
    dim: DIM,
    trainClassCounts: COUNTS,
    trainUtterances: COUNTS.reduce((sum, count) => sum + count, 0),
  });

interface Ran {
  readonly total: number;
  readonly terms: Readonly<Record<string, number>>;
  /** Of `choose(loss)`: by parameter, by modality for streams, and `logits`. Absent = none. */
  readonly gradients: Readonly<Record<string, number[]>>;
}

function run(options: Options, at: Given, context: Context = {}, choose = (loss: Loss) => loss.total): Ran {
  return tidy(() => {
    const objective = objectiveOf(options, Object.keys(at.streams));
    const parameters: Record<string, Tensor> = {};
    for (const { name } of objective.parameters) {
      const modality = Object.keys(at.students).find((each) => name.startsWith(student(each))) ?? "";
      const { weight = [], bias = [] } = at.students[modality] ?? {};
      parameters[name] = name.endsWith(".bias") ? tensor1d([...bias]) : toMatrix(weight);
    }
    const logits = toMatrix(at.logits);
    const streams = toStreams(at.streams);
    const targets = { labels: tensor1d([...at.labels], "int32"), mask: tensor1d([...at.mask]) };
    const compute = (): Loss => objective.loss(parameters, logits, { fused: logits, streams }, targets, context);
    const { gradients } = valueAndGradients(() => choose(compute()), { ...parameters, ...streams, logits });
    const loss = compute();
    const number = (x: Tensor): number => x.dataSync()[0] ?? Number.NaN;
    return {
      total: number(loss.total),
      terms: Object.fromEntries(Object.entries(loss.terms).map(([name, term]) => [name, number(term)])),
      gradients: Object.fromEntries(Object.entries(gradients).map(([name, each]) => [name, [...each.dataSync()]])),
    };
  });
}

/** Section 4 in double precision, without dropout. */
function oracle(options: Options, at: Given, classWeights?: readonly number[]): Record<string, number> {
  const { temperature } = selfDistillationOptions.parse(options);
  const counted = at.mask.flatMap((mask, i) => (mask === 1 ? [i] : []));
  const crossEntropy = (logits: Rows): number => {
    const weight = (i: number) => classWeights?.[at.labels[i] ?? 0] ?? 1;
    const nll = (i: number) => -(logSoftmax(logits[i] ?? [])[at.labels[i] ?? 0] ?? 0);
    return sum(counted.map((i) => weight(i) * nll(i))) / sum(counted.map(weight));
  };
  const terms: Record<string, number> = { task: crossEntropy(at.logits) };
  for (const [name, stream] of Object.entries(at.streams)) {
    const { weight = [], bias = [] } = at.students[name] ?? {};
    const logits = stream.map((row) =>
      affine(
        weight,
        bias,
        row.map((x) => Math.max(x, 0)),
      ),
    );
    terms[`hard.${name}`] = crossEntropy(logits);
    const divergences = counted.map((i) => {
      const q = logSoftmax((at.logits[i] ?? []).map((z) => z / temperature));
      const p = logSoftmax((logits[i] ?? []).map((z) => z / temperature));
      return sum(q.map((each, c) => Math.exp(each) * (each - (p[c] ?? 0))));
    });
    terms[`soft.${name}`] = sum(divergences) / counted.length;
  }
  return terms;
}

function logSoftmax(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const total = Math.log(sum(logits.map((z) => Math.exp(z - largest)))) + largest;
  return logits.map((z) => z - total);
}

const soft = (name: string) => (loss: Loss) => loss.terms[`soft.${name}`] as Tensor;

describe.each(ENGINES)("self-distillation on %s", (backend) => {
  beforeAll(() => startEngine(backend));

  it("has the seven terms of the paper, and equals them written out", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 0, max: 1000 }),
        fc.constantFrom(0.5, 1, 2, 8),
        fc.constantFrom("none", "inverse-frequency", "given"),
        (tokens, at, temperature, weighted) => {
          const weights = { none: undefined, "inverse-frequency": [5, 2, 10 / 3], given: [0.5, 3, 1] }[weighted];
          const options = { temperature, classWeights: weighted === "given" ? (weights ?? []) : weighted };
          const expected = oracle(options, given(tokens, at), weights);
          const { terms, total } = run(options, given(tokens, at));
          expect(Object.keys(terms).sort()).toEqual(Object.keys(expected).sort());
          for (const [name, value] of Object.entries(expected)) {
            expectClose(terms[name] ?? Number.NaN, value, 1e-5, name);
          }
          expectClose(total, sum(Object.values(expected)), 2e-5);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("the total weighs terms by γ; scaleT2 multiplies the divergences by T²", () => {
    const at = given(5);
    const weights = { taskWeight: 0.3, hardWeight: 2, softWeight: 0.7, temperature: 3 };
    const { terms, total } = run(weights, at);
    const part = (prefix: string) => sum(Object.entries(terms).map(([name, x]) => (name.startsWith(prefix) ? x : 0)));
    expectClose(total, 0.3 * part("task") + 2 * part("hard.") + 0.7 * part("soft."), 1e-5);
    const scaled = run({ ...weights, scaleT2: true }, at);
    expect(scaled.terms).toEqual(terms);
    expectClose(scaled.total, 0.3 * part("task") + 2 * part("hard.") + 9 * 0.7 * part("soft."), 1e-5);
  });

  it("the divergence is 0 where a student says what the teacher says, and positive elsewhere", () => {
    // Non-negative streams and the identity as student: its logits are the stream.
    const logits = wave(4, DIM).map((row) => row.map((x) => x + 1).slice(0, CLASSES));
    const stream = logits.map((row) => [...row, 0]);
    const echo = { weight: [0, 1, 2].map((o) => [0, 1, 2, 3].map((i) => (i === o ? 1 : 0))), bias: [0, 0, 0] };
    const at = { ...given(4), logits, streams: { ...given(4).streams, text: stream } };
    const { terms } = run({ temperature: 2 }, { ...at, students: { ...at.students, text: echo } });
    expectClose(terms["soft.text"] ?? Number.NaN, 0, 1e-7);
    expect(terms["soft.audio"]).toBeGreaterThan(1e-3);
    // A constant added to the student's logits changes no prediction.
    const shifted = run(
      { temperature: 2 },
      { ...at, students: { ...at.students, text: { ...echo, bias: [4, 4, 4] } } },
    );
    expectClose(shifted.terms["soft.text"] ?? Number.NaN, 0, 1e-6);
  });

  it("gradients of the divergence are those of section 4; a detached teacher gets none", () => {
    const at = { ...given(4), mask: [1, 1, 0, 1] };
    for (const temperature of [1, 4]) {
      const { logits } = run({ temperature }, at, {}, soft("audio")).gradients;
      const { weight = [], bias = [] } = at.students.audio ?? {};
      const expected = at.logits.map((row, i) => {
        const z = affine(
          weight,
          bias,
          (at.streams.audio?.[i] ?? []).map((x) => Math.max(x, 0)),
        );
        const q = logSoftmax(row.map((x) => x / temperature));
        const p = logSoftmax(z.map((x) => x / temperature));
        const kappa = sum(q.map((each, c) => Math.exp(each) * (each - (p[c] ?? 0))));
        const scale = (at.mask[i] ?? 0) / (temperature * 3);
        return q.map((each, c) => scale * Math.exp(each) * (each - (p[c] ?? 0) - kappa));
      });
      expectClose(logits ?? [], expected, 1e-6);
      const detached = run({ temperature, detachTeacher: true }, at, {}, soft("audio")).gradients;
      expectClose(detached.logits ?? Array<number>(12).fill(0), Array<number>(12).fill(0), 0);
      const attached = run({ temperature }, at, {}, soft("audio")).gradients;
      expectClose(detached.audio ?? [], attached.audio ?? [], 0); // the student learns the same
      expect(detached.text).toBeUndefined();
    }
  });

  it("what stands on padding tokens changes no term and no gradient, and gets none", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1000 }), fc.constantFrom(0, 1, -80, 1e4), (at, filler) => {
        const real = given(4, at);
        const padRows = (rows: Rows) => [...rows, rows[0]?.map((_, k) => (k === 0 ? filler : -filler)) ?? []];
        const padded: Given = {
          ...real,
          logits: padRows(real.logits),
          streams: Object.fromEntries(Object.entries(real.streams).map(([name, rows]) => [name, padRows(rows)])),
          labels: [...real.labels, 0],
          mask: [...real.mask, 0],
        };
        const options = { temperature: 2, classWeights: "inverse-frequency" };
        const [one, other] = [run(options, real), run(options, padded)];
        expectClose({ ...other.terms, total: other.total }, { ...one.terms, total: one.total }, 1e-6);
        for (const [name, values] of Object.entries(one.gradients)) {
          const got = other.gradients[name] ?? [];
          const tail = name === "logits" ? CLASSES : DIM;
          const isRows = name === "logits" || NAMES.includes(name);
          expectClose(isRows ? got.slice(0, -tail) : got, values, 1e-6, name);
          expectClose(isRows ? got.slice(-tail) : [], isRows ? Array<number>(tail).fill(0) : [], 0, name);
        }
      }),
      { numRuns: 15 },
    );
  });

  it("class weights enter the cross-entropies and no divergence", () => {
    const [plain, weighted] = [run({}, given(5)).terms, run({ classWeights: [1, 2, 3] }, given(5)).terms];
    for (const name of NAMES) {
      expect(weighted[`soft.${name}`]).toBe(plain[`soft.${name}`]);
      expect(weighted[`hard.${name}`]).not.toBe(plain[`hard.${name}`]);
    }
    expect(weighted.task).not.toBe(plain.task);
  });

  it("students drop in training only, each modality by itself; the fused logits never do", () => {
    const same = { ...given(6), streams: Object.fromEntries(NAMES.map((name) => [name, wave(6, DIM)])) };
    const { text } = given(6).students;
    const at: Given = {
      ...same,
      students: Object.fromEntries(NAMES.map((name) => [name, text ?? { weight: [], bias: [] }])),
    };
    const training = (dropout: number, seed: number) =>
      run({ dropout }, at, { random: createRandomSource(keyFromSeed(seed)) }).terms;
    const evaluation = run({ dropout: 0.5 }, at).terms;
    expect(evaluation["hard.text"]).toBe(evaluation["hard.audio"]);
    expect(run({ dropout: 0 }, at).terms).toEqual(evaluation);
    expect(training(0, 1)).toEqual(evaluation);
    expect(training(0.5, 1)).toEqual(training(0.5, 1));
    expect(training(0.5, 2)).not.toEqual(training(0.5, 1));
    expect(training(0.5, 1)["hard.text"]).not.toBe(training(0.5, 1)["hard.audio"]);
    expect(training(0.5, 1).task).toBe(evaluation.task);
  });

  it("gradients are finite and reach every parameter; nothing is left over", () => {
    const before = memory().numTensors;
    const { gradients } = run({ temperature: 8 }, { ...given(5), mask: [1, 1, 0, 1, 0] });
    expect(flatten(gradients).every(Number.isFinite)).toBe(true);
    for (const { name } of objectiveOf({}).parameters) {
      expect(
        gradients[name]?.some((x) => x !== 0),
        name,
      ).toBe(true);
    }
    expect(memory().numTensors).toBe(before);
  });
});

describe("weights of 0", () => {
  beforeAll(() => startEngine("cpu"));

  const names = (options: Options) => ({
    parameters: objectiveOf(options).parameters.length,
    needs: [...objectiveOf(options).needs],
    terms: Object.keys(run(options, given(3)).terms),
  });

  it("hardWeight 0 and softWeight 0 remove their terms, both together the students and the need of streams", () => {
    const hard = NAMES.map((name) => `hard.${name}`);
    const softTerms = NAMES.map((name) => `soft.${name}`);
    const without = (options: Options) => {
      const { parameters, needs, terms } = names(options);
      return [parameters, needs, new Set(terms)];
    };
    expect(without({})).toEqual([6, ["streams"], new Set(["task", ...hard, ...softTerms])]);
    expect(without({ hardWeight: 0 })).toEqual([6, ["streams"], new Set(["task", ...softTerms])]);
    expect(without({ softWeight: 0 })).toEqual([6, ["streams"], new Set(["task", ...hard])]);
    expect(without({ hardWeight: 0, softWeight: 0 })).toEqual([0, [], new Set(["task"])]);
  });

  it("with both removed the total is the weighted cross-entropy", () => {
    const { total, terms } = run({ hardWeight: 0, softWeight: 0, taskWeight: 2 }, given(3));
    expectClose(total, 2 * (terms.task ?? Number.NaN), 1e-6);
  });

  it.each([
    { taskWeight: 0, hardWeight: 0, softWeight: 0 },
    { taskWeight: 0, softWeight: 0 },
    { taskWeight: 0, hardWeight: 0 },
    { taskWeight: 0, detachTeacher: true },
  ])("%o is refused: the fused classifier would learn no labels", (options) => {
    const { error } = selfDistillationOptions.safeParse(options);
    expect(error?.issues.map((issue) => issue.path)).toEqual([["taskWeight"]]);
    expect(error?.issues[0]?.message).toContain("the fused classifier learns no labels");
  });

  it("taskWeight 0 alone lets the students teach the teacher", () => {
    const { gradients } = run({ taskWeight: 0 }, given(3));
    expect(gradients.logits?.some((x) => x !== 0)).toBe(true);
  });
});

describe("declarations", () => {
  it("students carry the official names, or free ones, and (D + 1)·C parameters each", () => {
    const { parameters } = objectiveOf({}, ["text", "audio", "visual", "gaze"]);
    expect(parameters.map(({ name }) => name)).toEqual(
      ["t", "a", "v", "gaze"].flatMap((short) => [`${short}_output_layer.2.weight`, `${short}_output_layer.2.bias`]),
    );
    const total = 4 * (DIM + 1) * CLASSES;
    expect(countParameters(parameters)).toEqual({ total, trainable: total });
  });

  it("defaults are the official ones of IEMOCAP, but for the class weights", () => {
    expect(selfDistillationOptions.parse({})).toEqual({
      temperature: 1,
      taskWeight: 1,
      hardWeight: 1,
      softWeight: 1,
      detachTeacher: false,
      scaleT2: false,
      classWeights: "none",
      dropout: 0.5,
    });
  });

  it("resolved options parse to themselves, also through JSON", () => {
    for (const given of [{}, { temperature: 8, classWeights: [1, 2] }, { classWeights: "inverse-frequency" }]) {
      const options = selfDistillationOptions.parse(given);
      expect(selfDistillationOptions.parse(JSON.parse(JSON.stringify(options)))).toEqual(options);
    }
  });

  it.each([
    [{ temperature: 0 }, "temperature"],
    [{ taskWeight: -1 }, "taskWeight"],
    [{ hardWeight: -0.1 }, "hardWeight"],
    [{ softWeight: "1" }, "softWeight"],
    [{ detachTeacher: "yes" }, "detachTeacher"],
    [{ classWeights: "balanced" }, "classWeights"],
    [{ dropout: 1 }, "dropout"],
  ])("%o is refused at %s", (options, path) => {
    expect(selfDistillationOptions.safeParse(options).error?.issues.map((issue) => issue.path)).toEqual([[path]]);
  });

  it("unknown keys are refused by name", () => {
    const { error } = selfDistillationOptions.safeParse({ gamma: 1 });
    expect(error?.issues[0]).toMatchObject({ code: "unrecognized_keys", keys: ["gamma"] });
  });

  it("class weights that are not one per class are refused before training", () => {
    expect(() => objectiveOf({ classWeights: [1, 2] })).toThrow(MerclabError);
    expect(() => objectiveOf({ classWeights: [1, 2] })).toThrow("classWeights has 2 numbers, the task has 3 classes");
  });
});
