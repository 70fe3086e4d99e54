// Plugins of a user's folder, outside this repository: written, tested, trained, changed, and wrong in every way.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { LawReport } from "@merclab/plugin-kit";
import { afterAll, expect, test } from "vitest";
import { createWorkplace, type Ended, trialsOf, type Workplace } from "./support/cli.ts";

const TIMEOUT_MS = 120_000;
const places: Workplace[] = [];
afterAll(() => {
  for (const place of places) {
    place.remove();
  }
});

function workplace(files: Parameters<Workplace["write"]>[0] = {}): Workplace {
  const place = createWorkplace();
  places.push(place);
  place.write(files);
  return place;
}

function document<T>(ended: Ended): T {
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  return JSON.parse(ended.stdout) as T;
}

/** A fusion of one factor, as a module that imports what users import. */
const scaled = (name: string, factor: string) => `
import { definePlugin } from "@merclab/core";
import { addN, mul } from "@tensorflow/tfjs-core";
import { z } from "zod";
export default definePlugin({
  kind: "fusion",
  name: "${name}",
  summary: "Sum of the modalities, scaled",
  options: z.strictObject({}),
  create: (_options, { modalities, dim }) => ({
    dim,
    gives: new Set(),
    parameters: [],
    apply: (_parameters, streams) => ({ fused: mul(addN(modalities.map((each) => streams[each])), ${factor}) }),
  }),
});
`;

/** It sees what is missing, past the encoder. */
const BLIND = scaled("blind", "2")
  .replace("(_parameters, streams)", "(_parameters, streams, { features })")
  .replace("streams[each]", "sum(features[each], 1, true)")
  .replace("fused: mul(", "fused: mul(streams[modalities[0]], ")
  .replace("{ addN, mul }", "{ addN, mul, sum }");

test(
  "a new fusion is written, obeys the laws, passes its own test, and trains",
  async () => {
    const place = workplace({ "merclab.yaml": "# mine\nplugins: []\n" });
    const made = document<{ files: string[]; next: { command: string }[] }>(
      await place.exp("new", "fusion", "mine", "--json"),
    );
    expect(made.files).toEqual(["mine.ts", "mine.test.ts"].map((name) => join(place.folder, "fusions", name)));
    expect(made.next[0]?.command).toBe("exp plugin test mine");
    expect(
      readFileSync(made.files[0] ?? "", "utf8")
        .trimEnd()
        .split("\n").length,
    ).toBeLessThanOrEqual(40);
    expect(readFileSync(join(place.folder, "merclab.yaml"), "utf8")).toMatch(
      /^# mine\nplugins:.*\.\/fusions\/mine\.ts/s,
    );

    const tested = document<{ laws: LawReport[]; tests: { passed: boolean } }>(
      await place.exp("plugin", "test", "mine", "dropout=0.3", "--json"),
    );
    expect(tested).toMatchObject({ plugin: "fusion/mine", options: { dropout: 0.3 }, tests: { passed: true } });
    expect(tested.laws.filter(({ holds }) => !holds)).toEqual([]);
    expect(tested.laws.length).toBeGreaterThanOrEqual(14);

    const run = await place.exp("run", "tiny", "fusion=sdt,mine", "--seeds", "1", "--jobs", "1");
    expect(run, run.stderr).toMatchObject({ code: 0 });
    expect(run.stdout).toMatch(/^mine +1 +\d/m);
    const show = await place.exp("show", trialsOf(place.folder)[0]?.id ?? "");
    expect(show.stdout).toMatch(/forward pass: [\d.]+ MFLOP an utterance in products, [\d.]+ in everything else/);
    const listed = document<{ name: string; from: string; options: unknown[] }[]>(
      await place.exp("plugin", "ls", "fusion", "--json"),
    );
    expect(listed).toContainEqual(
      expect.objectContaining({
        name: "mine",
        from: "./fusions/mine.ts",
        code: expect.stringMatching(/^sha256:/),
        options: [
          { name: "dropout", type: "number ≥ 0, < 1", default: "0.1", meaning: "on the fused rows, in training" },
        ],
      }),
    );
  },
  TIMEOUT_MS,
);

test.concurrent(
  "new encoders and objectives obey the laws",
  async () => {
    const place = workplace();
    await place.exp("new", "encoder", "context");
    await place.exp("new", "objective", "smooth");
    const again = await place.exp("new", "objective", "smooth");
    expect(again).toMatchObject({ code: 2, stdout: "" });
    expect(again.stderr).toMatch('the name of objective "smooth" is taken');
    for (const name of ["context", "smooth"]) {
      const { laws } = document<{ laws: LawReport[] }>(await place.exp("plugin", "test", name, "--json"));
      expect(laws.filter(({ holds }) => !holds)).toEqual([]);
    }
  },
  TIMEOUT_MS,
);

test.concurrent(
  "a broken fusion fails, law by law, with what to do",
  async () => {
    const place = workplace({
      "merclab.yaml": "plugins: [./blind.ts]\n",
      "blind.ts": BLIND,
    });
    const { code, stdout } = await place.exp("plugin", "test", "blind");
    expect(code).toBe(1);
    expect(stdout).toMatch(/✓ padding +padding changes no number/);
    expect(stdout).toMatch(
      /✗ missing [^\n]*\n +logits of utterance \d change with features that are marked as missing/,
    );
    expect(stdout).toMatch("→ Multiply by inputs.present[modality]");
    expect(stdout).toMatch(/\d of 14 laws are broken/);
  },
  TIMEOUT_MS,
);

test.concurrent(
  "files in JavaScript and npm packages share merclab's own engine; changed code makes new trials",
  async () => {
    const factor = "export const factor = 2;\n";
    const place = workplace({
      "merclab.yaml": "plugins:\n  - ./plain.js\n  - fusion-from-npm\n",
      "plain.js": `import { factor } from "./factor.js";\n${scaled("plain", "factor")}`,
      "factor.js": factor,
      "node_modules/fusion-from-npm/package.json": JSON.stringify({
        name: "fusion-from-npm",
        version: "1.0.0",
        type: "module",
        exports: { import: "./lib/index.js" },
      }),
      "node_modules/fusion-from-npm/lib/index.js": scaled("packaged", "3"),
    });
    const planned = async () => {
      const plan = await place.exp("plan", "tiny", "fusion=sdt,plain,packaged", "--seeds", "1", "--json");
      const { trials } = document<{ trials: { id: string; label: string; state: string }[] }>(plan);
      return trials.map(({ label, state }) => `${label.split("  ")[1]} ${state}`);
    };
    const run = await place.exp("run", "tiny", "fusion=sdt,plain,packaged", "--seeds", "1", "--jobs", "1");
    expect(run, run.stderr).toMatchObject({ code: 0 });
    expect(await planned()).toEqual(["sdt done", "plain done", "packaged done"]);
    place.write({ "factor.js": factor.replace("2", "4") });
    expect(await planned()).toEqual(["sdt done", "plain missing", "packaged done"]);
    place.write({ "factor.js": factor, "node_modules/fusion-from-npm/lib/index.js": scaled("packaged", "5") });
    expect(await planned()).toEqual(["sdt done", "plain done", "packaged missing"]);

    // What is saved between plan and training is not trained under the old trial's name.
    const { id = "" } = trialsOf(place.folder).find(({ spec }) => JSON.stringify(spec).includes("packaged")) ?? {};
    const folder = join(place.folder, "runs/tiny/trials", id);
    rmSync(join(folder, "result.json"));
    const trial = await place.exp("trial", "run", folder);
    expect(trial.stderr).toMatch("the code of fusion packaged changed since the trial was planned");
    expect(trial.code).toBe(78);
  },
  TIMEOUT_MS,
);

test.concurrent(
  "a plugin that cannot be loaded is told before anything starts",
  async () => {
    const place = workplace({ "merclab.yaml": "plugins: [./mine.ts]\n", "mine.ts": "\nthrow new Error('oh dear');\n" });
    const { code, stdout, stderr } = await place.exp("run", "tiny");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^error the plugin \.\/mine\.ts failed while it was loaded: oh dear\n {2}at .*\/mine\.ts:2/);
    expect(existsSync(join(place.folder, "runs"))).toBe(false);
  },
  TIMEOUT_MS,
);

test.concurrent(
  "exp doctor tells of a broken plugin, and of all else",
  async () => {
    const place = workplace({ "merclab.yaml": "plugins: [./gone.ts]\n" });
    const { code, stdout } = await place.exp("doctor");
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ +plugins of merclab\.yaml +the plugin file \.\/gone\.ts does not exist/);
    expect(stdout).toMatch(/✓ +engine wasm/);
  },
  TIMEOUT_MS,
);
