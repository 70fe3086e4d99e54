// Options: defaults of the variants, what is refused, and that every option changes something.
import { createRandomSource, foldKey, keyFromSeed, MerclabError } from "@merclab/core";
import { tidy } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { createLmam, lmamOptions, plugins } from "../src/index.ts";
import {
  type Batch,
  drawValues,
  runLmam,
  site,
  startEngine,
  structures,
  toInputs,
  toTensors,
  wave,
} from "./support.ts";

const batch: Batch = {
  lengths: [3, 2],
  features: { text: wave(5, 4), audio: wave(5, 4, 1), visual: wave(5, 4, 2) },
  present: { text: [1, 1, 0, 1, 1], audio: [1, 0, 0, 1, 1], visual: [1, 1, 0, 1, 1] },
};
const at = site(batch);

beforeAll(() => startEngine("cpu"));

function refusal(create: () => unknown): MerclabError {
  try {
    create();
  } catch (error) {
    if (error instanceof MerclabError) {
      return error;
    }
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("options", () => {
  it("as-published: full weight, text is the memory", () => {
    expect(lmamOptions.parse({})).toEqual({
      variant: "as-published",
      placement: "late",
      rank: null,
      allowLargeRank: false,
      mode: "anchorMemory",
      anchor: "text",
      postForm: "geluSum",
      bias: "feature",
      augment: "none",
      valueSpace: "model",
      sharing: "all",
      scoreActivation: "tanh",
      reduce: "sum",
      residual: true,
      outputProjection: null,
      attentionDropout: 0,
      causal: false,
      maskOutput: true,
      initStddev: 0.01,
    });
  });

  it("as-described: low rank, every modality is memory in turn", () => {
    const described = { ...lmamOptions.parse({}), variant: "as-described", rank: 16, mode: "allPairs", anchor: null };
    expect(lmamOptions.parse({ variant: "as-described" })).toEqual({ ...described, bias: "rank" });
  });

  it("what is given wins over the variant", () => {
    const given = { variant: "as-described", rank: null, mode: "anchorQuery", anchor: "audio" };
    expect(lmamOptions.parse(given)).toMatchObject({ ...given, bias: "feature" });
    expect(lmamOptions.parse({ rank: 8 })).toMatchObject({ variant: "as-published", rank: 8, bias: "rank" });
    expect(lmamOptions.parse({ rank: 8, augment: "both" }).bias).toBe("none");
    expect(lmamOptions.parse({ outputProjection: { units: 5 } }).outputProjection).toEqual({
      units: 5,
      activation: "gelu",
    });
  });

  it("resolved options parse to themselves, also through JSON", () => {
    for (const given of [{}, { variant: "as-described" }, { outputProjection: { units: 2 } }, ...structures()]) {
      const options = lmamOptions.parse(given);
      expect(lmamOptions.parse(JSON.parse(JSON.stringify(options)))).toEqual(options);
    }
  });

  it.each([
    [{ bias: "rank" }, "bias", "needs a rank"],
    [{ augment: "both" }, "augment", "give a rank"],
    [{ valueSpace: "rank" }, "valueSpace", "need a rank"],
    [{ rank: 2, augment: "both", bias: "rank" }, "bias", "already is the bias in rank space"],
    [{ mode: "allPairs", anchor: "text" }, "anchor", "has no anchor"],
    [{ mode: "anchorQuery", anchor: null }, "anchor", "needs the name of a modality"],
    [{ postForm: "sumGelu" }, "postForm", "anchorMemory takes geluSum"],
    [{ mode: "allPairs", postForm: "sumGelu", residual: false }, "residual", "is sumGelu's residual"],
    [{ sharing: "perPair" }, "sharing", "use perQueryModality"],
    [{ mode: "anchorQuery", sharing: "perQueryModality" }, "sharing", "use all or perPair"],
    [{ rank: 0 }, "rank", ""],
    [{ rank: -1 }, "rank", ""],
    [{ rank: 1.5 }, "rank", ""],
    [{ attentionDropout: 1 }, "attentionDropout", ""],
    [{ initStddev: 0 }, "initStddev", ""],
  ])("%o is refused at %s", (given, path, reason) => {
    const { error } = lmamOptions.safeParse(given);
    expect(error?.issues.map((issue) => issue.path)).toEqual([[path]]);
    expect(error?.issues[0]?.message).toContain(reason);
  });

  it("unknown keys are refused", () => {
    expect(lmamOptions.safeParse({ heads: 4 }).success).toBe(false);
  });

  it("an anchor that the encoder lacks is refused with the names that exist", () => {
    const error = refusal(() => createLmam(lmamOptions.parse({}), { modalities: ["audio", "visual"], dim: 4 }));
    expect([error.code, error.message]).toEqual([
      "combination",
      'lmam: the anchor "text" is none of the encoder\'s modalities',
    ]);
    expect(error.hint).toContain("audio, visual");
    const other = lmamOptions.parse({ anchor: "visual" });
    expect(createLmam(other, { modalities: ["audio", "visual"], dim: 4 }).dim).toBe(4);
    const pairs = lmamOptions.parse({ mode: "allPairs" });
    expect(createLmam(pairs, { modalities: ["audio", "visual"], dim: 4 }).dim).toBe(4);
  });

  it("a rank above the width, or above half of it, is refused with the reason", () => {
    const create = (given: Record<string, unknown>, dim: number) => () =>
      createLmam(lmamOptions.parse(given), { modalities: ["text"], dim });
    expect(refusal(create({ rank: 101, allowLargeRank: true }, 100)).message).toContain("above the width 100");
    const wasteful = refusal(create({ rank: 64 }, 100));
    expect(wasteful.message).toContain("12864 parameters, the full weight has 10100");
    expect(wasteful.hint).toContain("50 or less");
    expect(create({ rank: 50 }, 100)().dim).toBe(100);
    expect(create({ rank: 64, allowLargeRank: true }, 100)().dim).toBe(100);
  });

  it("an encoder without a stream or a presence mask for a modality is a bug that is named", () => {
    tidy(() => {
      const fusion = createLmam(lmamOptions.parse({}), at);
      const inputs = toInputs(batch);
      const parameters = toTensors(drawValues({}, at));
      const { text, ...others } = inputs.features;
      expect(() => fusion.apply(parameters, others, inputs, {})).toThrow('no stream "text"');
      const unmarked = { ...inputs, present: {} };
      expect(() => fusion.apply(parameters, inputs.features, unmarked, {})).toThrow('presence mask for "text"');
    });
  });

  it("the package exports one plugin", () => {
    expect(plugins.map(({ kind, name }) => `${kind} ${name}`)).toEqual(["fusion lmam"]);
  });
});

describe("every option changes something", () => {
  const fused = (options: Record<string, unknown>, drawn = options): number[][] =>
    runLmam(batch, { options, parameters: drawValues(drawn, at) }).all;

  it.each([
    [{}, { mode: "allPairs" }],
    [{}, { mode: "anchorQuery" }],
    [{}, { anchor: "audio" }],
    [{ mode: "allPairs" }, { mode: "allPairs", postForm: "sumGelu" }],
    [{}, { bias: "none" }],
    [{}, { scoreActivation: "identity" }],
    [{}, { scoreActivation: "scaled" }],
    [{}, { reduce: "mean" }],
    [{ mode: "allPairs" }, { mode: "allPairs", reduce: "mean" }],
    [{}, { residual: false }],
    [{}, { causal: true }],
    [{}, { maskOutput: false }],
  ])("%o becomes %o with the same parameters", (before, after) => {
    expect(fused(after, {})).not.toEqual(fused(before, {}));
  });

  it.each(
    [
      {},
      { rank: 2 },
      { rank: 1 },
      { rank: 2, bias: "feature" },
      { rank: 2, bias: "none" },
      { rank: 2, augment: "both" },
      { rank: 2, valueSpace: "rank" },
      { sharing: "perQueryModality" },
      { mode: "allPairs", sharing: "perPair" },
      { outputProjection: { units: 3 } },
      { outputProjection: { units: 3, activation: "relu" } },
      { outputProjection: { units: 3, activation: "tanh" } },
      { outputProjection: { units: 3, activation: "identity" } },
      { variant: "as-described", rank: 2 },
    ].map((options, i, all) => ({ options, others: all.filter((_, k) => k !== i) })),
  )("$options differs from the others", ({ options, others }) => {
    for (const other of others) {
      expect(fused(options)).not.toEqual(fused(other));
    }
  });

  it("attentionDropout drops in training only, by site", () => {
    const parameters = drawValues({}, at);
    const context = { random: createRandomSource(keyFromSeed(1)) };
    const run = (rate: number, training: boolean) =>
      runLmam(batch, { options: { attentionDropout: rate }, parameters, context: training ? context : {} });
    expect(run(0.5, true).fused).not.toEqual(run(0, true).fused);
    expect(run(0.5, false).fused).toEqual(run(0, false).fused);
    expect(run(0, true).fused).toEqual(run(0, false).fused);
    expect(Object.keys(run(0, true).shown)).toEqual([]);
  });

  it.each([
    [{}, ["lmam.weight"]],
    [{ rank: 16 }, ["lmam.u", "lmam.v"]],
  ])("initStddev is the standard deviation of the matching weight's entries for %o", (options, names) => {
    for (const initStddev of [0.01, 0.2]) {
      const { parameters } = createLmam(lmamOptions.parse({ ...options, initStddev }), {
        modalities: ["text"],
        dim: 64,
      });
      const deviations = names.map((name) => {
        const spec = parameters.find((candidate) => candidate.name === name);
        const values = spec?.initial(foldKey(keyFromSeed(1), name), spec.shape) ?? new Float32Array();
        return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
      });
      // Entries of U Vᵀ sum r products of independent entries: σ² √r.
      const entry = deviations.length === 2 ? (deviations[0] ?? 0) * (deviations[1] ?? 0) * 4 : deviations[0];
      expect((entry ?? 0) / initStddev).toBeGreaterThan(0.9);
      expect((entry ?? 0) / initStddev).toBeLessThan(1.1);
    }
  });
});
