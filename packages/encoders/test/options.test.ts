// Options: defaults, variants, what is refused, and that every option changes something.
import { createRandomSource, keyFromSeed, MerclabError } from "@merclab/core";
import { beforeAll, describe, expect, it } from "vitest";
import { linearOptions, plugins, sdtEncoderOptions, transformerOptions } from "../src/index.ts";
import { batchOf, createEncoder, drawValues, type Options, runEncoder, site, startEngine } from "./support.ts";

const SCHEMAS = { linear: linearOptions, transformer: transformerOptions, sdt: sdtEncoderOptions };

const SDT_DEFAULTS = {
  variant: "as-published",
  dim: 1024,
  numHeads: 8,
  numLayers: 1,
  dropout: 0.5,
  paths: "both",
  unimodalGate: "learned",
  inputDropout: "per-transformer",
  positions: true,
  speakers: true,
};

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
  it("have these defaults", () => {
    expect(linearOptions.parse({})).toEqual({ dim: 128, dropout: 0.5 });
    expect(transformerOptions.parse({})).toEqual({
      dim: 128,
      numHeads: 8,
      numLayers: 1,
      feedForwardFactor: 4,
      dropout: 0.5,
      speakers: true,
    });
    expect(sdtEncoderOptions.parse({})).toEqual(SDT_DEFAULTS);
  });

  it("of the recurrent and graph encoders are these", () => {
    const defaults = (name: string) => plugins.find((each) => each.name === name)?.options.parse({});
    expect(defaults("bc-lstm")).toEqual({
      dim: 128,
      numLayers: 1,
      dropout: 0.5,
      input: "per-modality",
      contextual: "all",
    });
    expect(defaults("dialogue-rnn")).toEqual({
      dim: 128,
      globalDim: 128,
      partyDim: 128,
      dropout: 0.5,
      bidirectional: false,
      listener: false,
      input: "concatenated",
    });
    expect(defaults("dialogue-gcn")).toEqual({
      dim: 128,
      graphDim: null,
      context: "gru",
      numLayers: 1,
      dropout: 0.5,
      past: 10,
      future: 10,
      numBases: null,
      nodalAttention: true,
      input: "concatenated",
    });
    expect(defaults("mmgcn")).toEqual({
      dim: 128,
      numLayers: 4,
      alpha: 0.1,
      eta: 0.5,
      crossWeight: 0.7,
      dropout: 0.4,
      speakers: true,
    });
  });

  it.each([
    ["bc-lstm", { dim: 5 }, "dim 5 is odd"],
    ["bc-lstm", { contextual: ["txt"] }, 'contextual names "txt", which is no stream of it'],
    ["bc-lstm", { input: "concatenated", contextual: ["text"] }, 'contextual names "text"'],
    ["dialogue-rnn", { dim: 5, bidirectional: true }, "dim 5 is odd"],
    ["dialogue-gcn", { dim: 5 }, "dim 5 is odd"],
    ["dialogue-gcn", { dim: 6, graphDim: 6 }, "dim 6 leaves 0 beside graphDim 6"],
    ["dialogue-gcn", { dim: 6 }, "dim 6 leaves 3 beside graphDim 3"],
    ["mmgcn", { dim: 6 }, "half of dim 3 is odd"],
    ["mmgcn", { contextual: ["gaze"] }, "Its streams are text, audio"],
  ])("of %s refuse %o", (name, options, reason) => {
    const { message, hint } = refusal(() => createEncoder(name, options, site(batchOf([1], ["text", "audio"]))));
    expect(`${message} ${hint}`).toContain(reason);
  });

  it("of mmgcn: without text, all modalities have an LSTM", () => {
    const of = (options: Options) =>
      createEncoder("mmgcn", { dim: 4, ...options }, site(batchOf([1], ["audio", "gaze"]))).parameters.map(
        ({ name }) => name,
      );
    expect(of({})).toEqual(of({ contextual: "all" }));
  });

  it("of sdt's variants: the figure has bare gates and one input dropout per modality; what is given wins", () => {
    const described = { ...SDT_DEFAULTS, variant: "as-described", unimodalGate: "bare", inputDropout: "per-modality" };
    expect(sdtEncoderOptions.parse({ variant: "as-described" })).toEqual(described);
    const given = { variant: "as-described", unimodalGate: "learned" };
    expect(sdtEncoderOptions.parse(given)).toEqual({ ...described, ...given });
    expect(sdtEncoderOptions.parse({ inputDropout: "per-modality" })).toEqual({
      ...SDT_DEFAULTS,
      inputDropout: "per-modality",
    });
    expect(sdtEncoderOptions.parse({ unimodalGate: undefined })).toEqual(SDT_DEFAULTS);
  });

  it.each([
    ["linear", {}],
    ["transformer", { dim: 64 }],
    ["sdt", {}],
    ["sdt", { variant: "as-described" }],
    ["sdt", { variant: "as-described", unimodalGate: "none", paths: "inter" }],
  ] as const)("resolved options of %s %o parse to themselves, also through JSON", (name, given) => {
    const options = SCHEMAS[name].parse(given);
    expect(SCHEMAS[name].parse(JSON.parse(JSON.stringify(options)))).toEqual(options);
  });

  it.each([
    ["linear", { dim: 0 }, "dim"],
    ["linear", { dropout: 1 }, "dropout"],
    ["linear", { dropout: -0.1 }, "dropout"],
    ["transformer", { dim: 7 }, "dim"],
    ["transformer", { numHeads: 0 }, "numHeads"],
    ["transformer", { numLayers: 1.5 }, "numLayers"],
    ["transformer", { feedForwardFactor: 0 }, "feedForwardFactor"],
    ["transformer", { speakers: "yes" }, "speakers"],
    ["sdt", { variant: "official" }, "variant"],
    ["sdt", { dim: 9 }, "dim"],
    ["sdt", { numLayers: 0 }, "numLayers"],
    ["sdt", { dropout: 1 }, "dropout"],
    ["sdt", { paths: "all" }, "paths"],
    ["sdt", { unimodalGate: "frozen" }, "unimodalGate"],
    ["sdt", { inputDropout: 0.1 }, "inputDropout"],
    ["sdt", { positions: 1 }, "positions"],
  ] as const)("of %s: %o is refused at %s", (name, given, path) => {
    const { error } = SCHEMAS[name].safeParse(given);
    expect(error?.issues.map((issue) => issue.path)).toEqual([[path]]);
  });

  it.each(["linear", "transformer", "sdt"] as const)("of %s: unknown keys are refused by name", (name) => {
    const { error } = SCHEMAS[name].safeParse({ layers: 2 });
    expect(error?.issues[0]).toMatchObject({ code: "unrecognized_keys", keys: ["layers"] });
  });

  it.each(["transformer", "sdt"])("%s refuses a width that its heads do not divide", (name) => {
    const error = refusal(() => createEncoder(name, { dim: 10, numHeads: 4 }, site(batchOf([1], ["text"]))));
    expect([error.code, error.message]).toEqual(["config", `encoder ${name}: dim 10 is no multiple of numHeads 4`]);
  });

  it("sdt refuses inter-modal paths with one modality", () => {
    const error = refusal(() => createEncoder("sdt", { paths: "inter" }, site(batchOf([1], ["audio"]))));
    expect([error.code, error.message]).toEqual([
      "combination",
      'encoder sdt: paths "inter" needs two modalities, got audio alone',
    ]);
  });

  it.each([
    [["text", "t"], "t_input|t_t"],
    [["text", "textf"], "textf_input"],
    [["a_b", "c", "a", "b_c"], "a_b_c"],
  ])("sdt refuses modalities %o, whose parameters would share a name", (names, shared) => {
    const error = refusal(() => createEncoder("sdt", { dim: 2, numHeads: 1 }, site(batchOf([1], names))));
    expect(error.code).toBe("combination");
    expect(error.message).toMatch(
      new RegExp(`modalities ${names.join(", ")} give two parameters the name "(${shared})`),
    );
    expect(error.hint).toContain("Rename");
  });

  it("names that objects have by birth are names like others", () => {
    const names = ["constructor", "toString"];
    const { parameters } = createEncoder("sdt", { dim: 2, numHeads: 1 }, site(batchOf([1], names)));
    const inputs = parameters.filter(({ name }) => name.endsWith("_input.weight"));
    expect(inputs.map(({ name }) => name)).toEqual(["constructor_input.weight", "toString_input.weight"]);
    expect(parameters.map(({ name }) => name)).toContain("features_reduce_constructor.weight");
  });

  it("the package exports these plugins", () => {
    expect(plugins.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      "encoder linear",
      "encoder transformer",
      "encoder sdt",
      "encoder bc-lstm",
      "encoder dialogue-rnn",
      "encoder dialogue-gcn",
      "encoder mmgcn",
    ]);
  });
});

describe("every option changes something", () => {
  beforeAll(() => startEngine("cpu"));

  const batch = batchOf([3, 2], ["text", "audio"]);
  const random = createRandomSource(keyFromSeed(4));

  /** Streams in training, of parameters that are drawn by name. */
  const streams = (name: string, options: Options) => {
    const { parameters } = createEncoder(name, options, site(batch));
    return runEncoder([name, options], batch, { values: drawValues(parameters), context: { random } });
  };

  it.each([
    ["linear", { dim: 4 }, [{ dim: 5 }, { dropout: 0.25 }]],
    [
      "transformer",
      { dim: 4, numHeads: 2 },
      [{ dim: 6 }, { numHeads: 1 }, { numLayers: 2 }, { feedForwardFactor: 1 }, { dropout: 0.25 }, { speakers: false }],
    ],
    [
      "sdt",
      { dim: 4, numHeads: 2 },
      [
        { variant: "as-described" },
        { dim: 6 },
        { numHeads: 1 },
        { numLayers: 2 },
        { dropout: 0.25 },
        { paths: "intra" },
        { paths: "inter" },
        { unimodalGate: "bare" },
        { unimodalGate: "none" },
        { inputDropout: "per-modality" },
        { positions: false },
        { speakers: false },
      ],
    ],
    [
      "bc-lstm",
      { dim: 4 },
      [{ dim: 6 }, { numLayers: 2 }, { dropout: 0.25 }, { input: "concatenated" }, { contextual: ["text"] }],
    ],
    [
      "dialogue-rnn",
      { dim: 4, globalDim: 3, partyDim: 2 },
      [
        { dim: 6 },
        { globalDim: 2 },
        { partyDim: 3 },
        { dropout: 0.25 },
        { bidirectional: true },
        { listener: true },
        { input: "per-modality" },
      ],
    ],
    [
      "dialogue-gcn",
      { dim: 8 },
      [
        { dim: 12 },
        { graphDim: 2 },
        { context: "lstm" },
        { numLayers: 2 },
        { dropout: 0.25 },
        { past: 1 },
        { future: 0 },
        { numBases: 2 },
        { input: "per-modality" },
      ],
    ],
    [
      "mmgcn",
      { dim: 8 },
      [
        { dim: 12 },
        { numLayers: 2 },
        { alpha: 0.3 },
        { eta: 1 },
        { crossWeight: 0.2 },
        { dropout: 0.25 },
        { speakers: false },
        { contextual: "all" },
        { contextual: "none" },
      ],
    ],
  ] as const)("of %s %o", (name, base, changes) => {
    const all = [{}, ...changes].map((change) => streams(name, { ...base, ...change }));
    all.forEach((one, i) => {
      for (const other of all.slice(i + 1)) {
        expect(one).not.toEqual(other);
      }
    });
  });

  it("sdt's gates identity and bare are one function; identity carries its matrices", () => {
    const of = (unimodalGate: string) => streams("sdt", { dim: 4, numHeads: 2, unimodalGate });
    expect(of("identity")).toEqual(of("bare"));
  });

  it("input dropout per modality is one mask for all of its transformers", () => {
    const sites: string[] = [];
    const recording = (prefix: string): typeof random => ({
      ...random,
      dropoutMask: (name, shape, rate) => {
        sites.push(`${prefix}${name}`);
        return random.dropoutMask(name, shape, rate);
      },
      within: (name) => recording(`${prefix}${name}/`),
    });
    const drawn = (inputDropout: string) => {
      sites.length = 0;
      const three = batchOf([2, 1], ["text", "audio", "visual"]);
      runEncoder(["sdt", { dim: 4, numHeads: 2, inputDropout }], three, { context: { random: recording("") } });
      expect(new Set(sites).size).toBe(sites.length);
      return sites.filter((each) => /(source|target|input\.\w+)$/.test(each)).length;
    };
    expect(drawn("per-transformer")).toBe(15);
    expect(drawn("per-modality")).toBe(3);
  });
});
