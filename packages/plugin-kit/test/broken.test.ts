// Every law can be broken: plugins that are wrong in one way each, and the law that says so.
import {
  type Balancer,
  corePlugins,
  definePlugin,
  type Fusion,
  type FusionOutputs,
  type FusionSite,
  type Inputs,
  linear,
  linearSpecs,
  type ParameterSpec,
  type Parameters,
  type Plugin,
  type PluginKind,
  type Streams,
} from "@merclab/core";
import { plugins as encoderPlugins } from "@merclab/encoders";
import { plugins as baselinePlugins } from "@merclab/fusion-baselines";
import {
  add,
  addN,
  customGrad,
  div,
  expandDims,
  keep,
  log,
  max,
  mean,
  mul,
  range,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tensor,
  variable,
} from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { checkLaw, checkLaws, LAWS, type LawReport, subjectOf, type TestedKind } from "../src/index.ts";

interface Wrong extends Partial<Pick<Fusion, "gives" | "dim">> {
  readonly options?: z.ZodType;
  readonly parameters?: (site: FusionSite) => readonly ParameterSpec[];
  /** In place of the sum of what was observed. */
  readonly fuse?: (given: {
    readonly rows: Tensor2D;
    readonly inputs: Inputs;
    readonly streams: Streams;
    readonly parameters: Parameters;
  }) => Tensor;
}

/** A linear map of the sum of what was observed, but for what is wrong. */
function fusionWith({ options = z.strictObject({}), parameters, fuse, ...rest }: Wrong): Plugin<"fusion"> {
  return definePlugin({
    kind: "fusion",
    name: "wrong",
    summary: "",
    options,
    create: (_options, site) => ({
      dim: site.dim,
      gives: new Set(),
      parameters: parameters?.(site) ?? linearSpecs("wrong", site.dim, site.dim),
      apply: (values, streams, inputs): FusionOutputs => {
        const masked = site.modalities.map((name) =>
          mul(streams[name] as Tensor2D, expandDims(inputs.present[name] as Tensor1D, 1)),
        );
        const rows = linear(values, "wrong", addN(masked) as Tensor2D);
        return { fused: (fuse?.({ rows, inputs, streams, parameters: values }) ?? rows) as Tensor2D };
      },
      ...rest,
    }),
  }) as unknown as Plugin<"fusion">;
}

function registryOf(...more: readonly Plugin[]) {
  const all = [...corePlugins, ...encoderPlugins, ...baselinePlugins, ...more];
  return {
    names: (kind: PluginKind) => all.filter((plugin) => plugin.kind === kind).map(({ name }) => name),
    get: <K extends PluginKind>(kind: K, name: string) =>
      all.find((plugin) => plugin.kind === kind && plugin.name === name) as Plugin<K>,
  };
}

/** They take seconds, and are checked where a case names them. */
const SLOW = ["learning", "gradients", "engines"];

async function reportsOf(
  plugin: Plugin<TestedKind>,
  named: readonly string[] = [],
  kind: TestedKind = "fusion",
): Promise<LawReport[]> {
  const { subject } = await subjectOf(registryOf(plugin), kind, "wrong");
  const reports: LawReport[] = [];
  for (const law of LAWS.filter(({ name }) => !SLOW.includes(name) || named.includes(name))) {
    reports.push(await checkLaw(law, subject));
  }
  return reports;
}

const brokenIn = (reports: readonly LawReport[]) => reports.filter(({ holds }) => !holds).map(({ law }) => law);

const kept: Tensor[] = [];
/** The value of x with twice its gradient. */
const wrongGradient = customGrad((x) => ({ value: (x as Tensor).clone(), gradFunc: (dy) => mul(dy as Tensor, 2) }));
let calls = 0;

const CASES: readonly (readonly [what: string, wrong: Wrong, laws: readonly string[], problem: RegExp])[] = [
  ["nothing", {}, [], /^/],
  ["options that accept anything", { options: z.object({}) }, ["options"], /an unknown option is accepted/],
  [
    "initial values by chance",
    {
      parameters: ({ dim }) =>
        linearSpecs("wrong", dim, dim).map((spec) => ({
          ...spec,
          initial: (_key, shape) => Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, Math.random),
        })),
    },
    ["parameters", "engines"],
    /wrong\.weight starts with other values each time/,
  ],
  [
    "streams that were promised",
    { gives: new Set(["streams"] as const) },
    ["shapes"],
    /fusion streams\.text is nothing, expected \[8, 8\]/,
  ],
  [
    "a mean over padding tokens",
    { fuse: ({ rows, inputs }) => mul(rows, div(sum(inputs.layout.tokenMask), inputs.layout.tokens)) },
    ["padding"],
    /logits of utterance \d change with padding \(by /,
  ],
  [
    "the place in the batch",
    {
      fuse: ({ rows, inputs }) => add(rows, expandDims(mul(range(0, inputs.layout.tokens), 0.1), 1)),
    },
    ["batch"],
    /change with the order/,
  ],
  [
    "what is missing",
    { fuse: ({ rows, inputs }) => add(rows, sum(inputs.features.text as Tensor, 1, true)) },
    ["missing", "modalities"],
    /change with features that are marked as missing/,
  ],
  [
    "a division by nothing",
    {
      fuse: ({ rows, inputs }) => div(rows, expandDims(addN(Object.values(inputs.present)), 1)),
    },
    ["padding", "nothing"],
    /changes? with padding.*by Infinity/,
  ],
  [
    "a slope of infinity behind a mask",
    {
      fuse: ({ rows, inputs }) => {
        const seen = expandDims(max(stackOf(Object.values(inputs.present)), 1), 1);
        return add(rows, mul(log(mul(seen, add(1, mul(0, rows)))), seen));
      },
    },
    ["padding", "nothing"],
    /changes? with padding.*by Infinity/,
  ],
  ["a wrong gradient", { fuse: ({ rows }) => wrongGradient(rows) }, ["gradients"], /the gradient says .*, the loss /],
  [
    "a parameter that nobody uses",
    {
      parameters: ({ dim }) => [...linearSpecs("wrong", dim, dim), ...linearSpecs("idle", dim, 1)],
    },
    ["gradients"],
    /the loss does not depend on parameter idle\.weight/,
  ],
  [
    "chance of its own",
    { fuse: ({ rows }) => mul(rows, 1 + 0.1 * Math.random()) },
    ["padding", "batch", "missing", "repeatable", "gradients", "engines"],
    /change with padding/,
  ],
  [
    "a memory of calls",
    { fuse: ({ rows }) => mul(rows, 1 + 1e-6 * (calls++ % 7)) },
    ["missing", "repeatable"],
    /marked as missing/,
  ],
  [
    "tensors kept",
    {
      fuse: ({ rows }) => {
        kept.push(keep(mean(rows)));
        return rows;
      },
    },
    ["memory"],
    /3 steps left 3 tensors behind/,
  ],
  [
    "a variable",
    {
      fuse: ({ rows }) => add(rows, variable(tensor([1]))),
    },
    ["memory"],
    /left 3 tensors behind/,
  ],
  [
    "values that were read",
    { fuse: ({ rows }) => mul(rows, (rows.dataSync()[0] ?? 0) > 1e9 ? 2 : 1) },
    ["cost", "engines"],
    /must not read a tensor's values.*broken\.test\.ts/,
  ],
];

/** `[tokens, n]` of n masks. */
function stackOf(masks: readonly Tensor1D[]): Tensor {
  return addN(masks.map((mask, m) => mul(expandDims(mask, 1), tensor([masks.map((_, k) => (k === m ? 1 : 0))]))));
}

describe("a fusion with", () => {
  it.each(CASES)("%s", async (_, wrong, laws, problem) => {
    const reports = await reportsOf(fusionWith(wrong), laws);
    expect(brokenIn(reports)).toEqual(laws);
    const broken = reports.find(({ holds }) => !holds);
    expect(broken?.problems.join("\n") ?? "").toMatch(problem);
    expect(broken === undefined || (broken.advice ?? "").length > 20).toBe(true);
    for (const each of kept.splice(0)) {
      each.dispose();
    }
  });

  it("apply that throws is told once, with the line", async () => {
    const wrong = fusionWith({
      fuse: () => {
        throw new Error("not yet");
      },
    });
    const { subject } = await subjectOf(registryOf(wrong), "fusion", "wrong");
    const reports = await checkLaws(subject);
    expect(reports.map(({ law }) => law)).toEqual(["options", "parameters", "shapes"]);
    expect(reports.at(-1)?.problems).toEqual([expect.stringMatching(/^not yet \(.*broken\.test\.ts:\d+:\d+\)$/)]);
  });
});

describe("other kinds", () => {
  it("an objective that counts padding breaks the law on padding, and no other", async () => {
    const wrong = definePlugin({
      kind: "objective",
      name: "wrong",
      summary: "",
      options: z.strictObject({}),
      create: () => ({
        parameters: [],
        needs: new Set<never>(),
        loss: (_parameters, logits) => {
          const total = mean(mul(logits, logits));
          return { total, terms: { task: total } };
        },
      }),
    });
    const reports = await reportsOf(wrong as unknown as Plugin<"objective">, [], "objective");
    expect(brokenIn(reports)).toEqual(["padding"]);
    expect(reports.find(({ law }) => law === "padding")?.problems[0]).toMatch(/^the loss changes with padding/);
  });

  it("a balancer that loses gradients breaks the law on shapes; one that divides by zero, that on nothing", async () => {
    const balancerWith = (balance: Balancer["balance"]) =>
      definePlugin({
        kind: "balancer",
        name: "wrong",
        summary: "",
        options: z.strictObject({}),
        create: () => ({ needs: new Set<never>(), balance }),
      }) as unknown as Plugin<"balancer">;
    const losing = balancerWith((gradients) => ({
      gradients: Object.fromEntries(Object.entries(gradients).slice(1)),
      shown: {},
    }));
    expect(brokenIn(await reportsOf(losing, [], "balancer"))).toEqual(["shapes"]);
    const dividing = balancerWith((gradients) => ({
      gradients: Object.fromEntries(
        Object.entries(gradients).map(([name, gradient]) => [name, div(gradient, max(mul(gradient, 0)))]),
      ),
      shown: {},
    }));
    expect(brokenIn(await reportsOf(dividing, [], "balancer"))).toContain("nothing");
  });
});
