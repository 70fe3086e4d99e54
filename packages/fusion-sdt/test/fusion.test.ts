// The gated fusion in every mode against sums written out, its laws, gradients and options.
import { countParameters, createEagerEngine, valueAndGradients } from "@merclab/core";
import { dispose, memory, mul, sum as sumOf, type Tensor, tidy } from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { createSdtFusion, plugins, sdtFusionOptions } from "../src/index.ts";
import {
  affine,
  ENGINES,
  expectClose,
  flatten,
  type HostStreams,
  inputsOf,
  type Rows,
  startEngine,
  sum,
  toMatrix,
  toStreams,
  wave,
} from "./support.ts";

const DIM = 3;
const GATES = ["learned", "bare", "scalar", "mean", "sum", "concat"] as const;
type Gate = (typeof GATES)[number];

const NAMES = ["text", "audio", "visual", "gaze"];
const gateOf = fc.constantFrom(...GATES);
const modalities = fc.integer({ min: 1, max: 4 });
const phase = fc.integer({ min: 0, max: 1000 });
const runs = { numRuns: 30 };

const streamsOf = (count: number, at = 0, rows = 4): HostStreams =>
  Object.fromEntries(NAMES.slice(0, count).map((name, m) => [name, wave(rows, DIM, at + 3 * m)]));

const fusionOf = (gate: Gate, streams: HostStreams) =>
  createSdtFusion(sdtFusionOptions.parse({ gate }), { modalities: Object.keys(streams), dim: DIM });

const weightOf = (at = 0) => wave(DIM, DIM, at + 50);

function runFusion(gate: Gate, streams: HostStreams, weight: Rows = weightOf()) {
  return tidy(() => {
    const tensors = toStreams(streams);
    const fusion = fusionOf(gate, streams);
    const parameters = fusion.parameters.length > 0 ? { "last_gate.fc.weight": toMatrix(weight) } : {};
    const outputs = fusion.apply(parameters, tensors, inputsOf(tensors), {});
    expect(outputs.streams).toEqual(tensors);
    expect(outputs.fused.shape).toEqual([Object.values(streams)[0]?.length, fusion.dim]);
    return {
      fused: outputs.fused.arraySync(),
      shown: Object.fromEntries(
        Object.entries(outputs.shown ?? {}).map(([name, each]) => [name, each.arraySync() as number[][]]),
      ),
    };
  });
}

/** Section 3.7, and what stands in its place. */
function oracle(gate: Gate, streams: HostStreams, weight: Rows = weightOf()): number[][] {
  const list = Object.values(streams);
  return (list[0] ?? []).map((_, i) => {
    const rows = list.map((stream) => stream[i] ?? []);
    if (gate === "concat") {
      return rows.flat();
    }
    const features = [...Array(DIM).keys()];
    if (gate === "sum" || gate === "mean") {
      return features.map((k) => sum(rows.map((row) => row[k] ?? 0)) / (gate === "mean" ? rows.length : 1));
    }
    const scores = rows.map((row) => {
      const projected = gate === "bare" ? row : affine(weight, [], row);
      return gate === "scalar" ? projected.map(() => sum(projected) / DIM) : projected;
    });
    return features.map((k) => {
      const weights = scores.map((score) => Math.exp(score[k] ?? 0));
      return sum(rows.map((row, m) => ((weights[m] ?? 0) / sum(weights)) * (row[k] ?? 0)));
    });
  });
}

describe.each(ENGINES)("the fusion on %s", (backend) => {
  beforeAll(() => startEngine(backend));

  it("equals the sums written out, for every gate and number of modalities", () => {
    fc.assert(
      fc.property(gateOf, modalities, phase, (gate, count, at) => {
        const streams = streamsOf(count, at);
        expectClose(runFusion(gate, streams, weightOf(at)).fused, oracle(gate, streams, weightOf(at)), 1e-6);
      }),
      { numRuns: 60 },
    );
  });

  it("gates are positive and sum to 1 over the modalities; modes without a gate show none", () => {
    fc.assert(
      fc.property(gateOf, fc.integer({ min: 2, max: 4 }), phase, (gate, count, at) => {
        const streams = streamsOf(count, at);
        const { shown } = runFusion(gate, streams);
        if (gate === "mean" || gate === "sum" || gate === "concat") {
          expect(shown).toEqual({});
          return;
        }
        expect(Object.keys(shown)).toEqual(Object.keys(streams).map((name) => `gate.${name}`));
        const maps = Object.values(shown).map(flatten);
        expect(maps.map((map) => map.length)).toEqual(maps.map(() => 4 * (gate === "scalar" ? 1 : DIM)));
        expect(Math.min(...maps.flat())).toBeGreaterThan(0);
        expectClose(
          (maps[0] ?? []).map((_, i) => sum(maps.map((map) => map[i] ?? 0))),
          (maps[0] ?? []).map(() => 1),
          1e-6,
        );
      }),
      runs,
    );
  });

  it("equal streams: the fused sequence equals them", () => {
    fc.assert(
      fc.property(fc.constantFrom("learned", "bare", "scalar", "mean"), modalities, phase, (gate, count, at) => {
        const stream = wave(4, DIM, at);
        const streams = Object.fromEntries(NAMES.slice(0, count).map((name) => [name, stream]));
        expectClose(runFusion(gate as Gate, streams).fused, stream, 1e-6);
      }),
      runs,
    );
  });

  it("the order of modalities does not matter, but to concat", () => {
    for (const gate of GATES) {
      const streams = streamsOf(3);
      const turned = Object.fromEntries(Object.entries(streams).reverse());
      const [there, back] = [runFusion(gate, streams).fused, runFusion(gate, turned).fused];
      if (gate === "concat") {
        const blocks = back.map((row) => [...row.slice(2 * DIM), ...row.slice(DIM, 2 * DIM), ...row.slice(0, DIM)]);
        expectClose(there, blocks, 0);
      } else {
        expectClose(there, back, 1e-6);
      }
    }
  });

  it("one modality needs no gate: no parameters, nothing shown, the stream as it is", () => {
    for (const gate of GATES) {
      const streams = streamsOf(1);
      expect(fusionOf(gate, streams).parameters).toEqual([]);
      const { fused, shown } = runFusion(gate, streams);
      expectClose(fused, streams.text ?? [], 1e-7);
      expect(shown).toEqual({});
    }
  });

  it("scores beyond the range of exp choose the largest stream, with finite gradients", () => {
    const streams = { text: [[900, -900, 5]], audio: [[-900, 900, 5]], visual: [[0, 0, 5]] };
    expectClose(runFusion("bare", streams).fused, [[900, 900, 5]], 1e-3);
    tidy(() => {
      const tensors = toStreams(streams);
      const fusion = fusionOf("bare", streams);
      const { gradients } = valueAndGradients(
        () => sumOf(fusion.apply({}, tensors, inputsOf(tensors), {}).fused),
        tensors,
      );
      const got = Object.values(gradients).map((each) => [...each.dataSync()]);
      expect(flatten(got).every(Number.isFinite), String(got)).toBe(true);
    });
  });

  it("is pure: inputs and parameters are kept, nothing is left over", async () => {
    const engine = createEagerEngine(backend);
    for (const gate of GATES) {
      const streams = toStreams(streamsOf(3));
      const parameters = { "last_gate.fc.weight": toMatrix(weightOf()) };
      const inputs = inputsOf(streams);
      const held = memory().numTensors;
      const apply = engine.compile(() => {
        const { fused, shown } = fusionOf(gate, streamsOf(3)).apply(parameters, streams, inputs, {});
        return { fused, ...shown };
      });
      const [first, second] = [await apply(), await apply()];
      expect([...first.fused.dataSync()]).toEqual([...second.fused.dataSync()]);
      expect(memory().numTensors).toBe(held + 2 * Object.keys(first).length);
      expect(Object.values({ ...streams, ...parameters }).some((each) => each.isDisposed)).toBe(false);
      dispose([first, second]);
      expect(memory().numTensors).toBe(held);
    }
  });
});

describe("gradients on cpu", () => {
  beforeAll(() => startEngine("cpu"));

  it.each(GATES)("of %s equal finite differences", (gate) => {
    const streams = streamsOf(3, 0, 2);
    const weight = weightOf();
    const probe = wave(2, 3 * DIM, 9);
    const weigh = (rows: Rows) => sum(rows.flatMap((row, i) => row.map((y, k) => y * (probe[i]?.[k] ?? 0))));
    const got = tidy(() => {
      const fusion = fusionOf(gate, streams);
      const tensors = toStreams(streams);
      const parameters = fusion.parameters.length > 0 ? { weight: toMatrix(weight) } : {};
      const loss = (): Tensor => {
        const values = "weight" in parameters ? { "last_gate.fc.weight": parameters.weight } : {};
        const { fused } = fusion.apply(values, tensors, inputsOf(tensors), {});
        return sumOf(mul(fused, toMatrix(probe.map((row) => row.slice(0, fusion.dim)))));
      };
      const { gradients } = valueAndGradients(loss, { ...tensors, ...parameters });
      return Object.fromEntries(Object.entries(gradients).map(([name, each]) => [name, [...each.dataSync()]]));
    });
    const given: HostStreams = gate === "learned" || gate === "scalar" ? { ...streams, weight } : streams;
    const value = ({ weight: w, ...rest }: HostStreams) => weigh(oracle(gate, rest, w ?? weight));
    for (const [name, rows] of Object.entries(given)) {
      const want = rows.flatMap((row, i) =>
        row.map((_, k) => {
          const moved = (by: number) => rows.map((r, a) => r.map((x, b) => (a === i && b === k ? x + by : x)));
          return (value({ ...given, [name]: moved(1e-5) }) - value({ ...given, [name]: moved(-1e-5) })) / 2e-5;
        }),
      );
      expectClose(got[name] ?? [], want, 1e-5, name);
    }
    expect(Object.keys(got).sort()).toEqual(Object.keys(given).sort());
  });
});

describe("declarations", () => {
  it.each([
    ["learned", 64],
    ["scalar", 64],
    ["bare", 0],
    ["mean", 0],
    ["sum", 0],
    ["concat", 0],
  ])("%s has %d parameters at width 8, however many modalities", (gate, total) => {
    for (const count of [2, 3, 4]) {
      const site = { modalities: NAMES.slice(0, count), dim: 8 };
      const fusion = createSdtFusion(sdtFusionOptions.parse({ gate }), site);
      expect(countParameters(fusion.parameters)).toEqual({ total, trainable: total });
      expect(fusion.parameters.map(({ name }) => name)).toEqual(total > 0 ? ["last_gate.fc.weight"] : []);
      expect(fusion.dim).toBe(gate === "concat" ? 8 * count : 8);
      expect([...fusion.gives]).toEqual(["streams", "alone"]);
      expect(fusion.classifierName).toBe("all_output_layer");
    }
  });

  it("variants set the gate, and what is given wins", () => {
    expect(sdtFusionOptions.parse({})).toEqual({ variant: "as-published", gate: "learned" });
    const described = { variant: "as-described", gate: "bare" };
    expect(sdtFusionOptions.parse({ variant: "as-described" })).toEqual(described);
    expect(sdtFusionOptions.parse({ ...described, gate: "learned" })).toEqual({ ...described, gate: "learned" });
    expect(sdtFusionOptions.parse({ gate: "mean" })).toEqual({ variant: "as-published", gate: "mean" });
  });

  it("resolved options parse to themselves, also through JSON", () => {
    for (const given of [{}, { variant: "as-described" }, ...GATES.map((gate) => ({ gate }))]) {
      const options = sdtFusionOptions.parse(given);
      expect(sdtFusionOptions.parse(JSON.parse(JSON.stringify(options)))).toEqual(options);
    }
  });

  it("unknown keys and values are refused", () => {
    expect(sdtFusionOptions.safeParse({ gates: "mean" }).error?.issues[0]).toMatchObject({ keys: ["gates"] });
    expect(sdtFusionOptions.safeParse({ gate: "max" }).error?.issues[0]?.path).toEqual(["gate"]);
    expect(sdtFusionOptions.safeParse({ variant: "official" }).error?.issues[0]?.path).toEqual(["variant"]);
  });

  it("the package exports a fusion and an objective", () => {
    expect(plugins.map(({ kind, name }) => `${kind} ${name}`)).toEqual(["fusion sdt", "objective self-distillation"]);
  });
});

describe("one modality alone", () => {
  beforeAll(() => startEngine("cpu"));

  it("is its own stream, or has zeros beside it in a concatenation: what the fusion makes of it without the others", () => {
    const streams = streamsOf(3);
    for (const gate of GATES) {
      tidy(() => {
        const tensors = toStreams(streams);
        const parameters = { "last_gate.fc.weight": toMatrix(weightOf()) };
        const { alone } = fusionOf(gate, streams).apply(parameters, tensors, inputsOf(tensors), {});
        const got = alone?.("audio").arraySync() ?? [];
        const gap = new Array(gate === "concat" ? DIM : 0).fill(0);
        expectClose(
          got,
          (streams.audio ?? []).map((row) => [...gap, ...row, ...gap]),
          1e-7,
        );
      });
    }
  });
});
