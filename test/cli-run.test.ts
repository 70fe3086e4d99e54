// The main road as a user walks it: run, run again, and every command that looks at what there is.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataCommand } from "../packages/cli/src/commands/data.ts";
import { doctorCommand } from "../packages/cli/src/commands/doctor.ts";
import { lsCommand } from "../packages/cli/src/commands/ls.ts";
import { newCommand } from "../packages/cli/src/commands/new.ts";
import { planCommand } from "../packages/cli/src/commands/plan.ts";
import { pluginCommand } from "../packages/cli/src/commands/plugin.ts";
import { runCommand } from "../packages/cli/src/commands/run.ts";
import { showCommand } from "../packages/cli/src/commands/show.ts";
import { tableCommand } from "../packages/cli/src/commands/table.ts";
import { createWorkplace, type Ended, filesOf, trialsOf } from "./support/cli.ts";

const TIMEOUT_MS = 120_000;
const place = createWorkplace();
let first: Ended;

beforeAll(async () => {
  first = await place.exp("run", "tiny");
}, TIMEOUT_MS);
afterAll(place.remove);

/** What `--json` gave: the whole of stdout is one document. */
function document(ended: Ended): unknown {
  expect(ended).toMatchObject({ code: 0 });
  return JSON.parse(ended.stdout);
}

describe("exp run", () => {
  test("exits with 0, tables on stdout, data and progress on stderr", () => {
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(/^A tiny study\n/);
    expect(first.stdout).toMatch(/^sdt +2 +\d+\.\d\d ± \d+\.\d\d/m);
    expect(first.stdout).toMatch(/^lmam +2 +\d+\.\d\d ± \d+\.\d\d/m);
    expect(first.stdout).toMatch("valid-selected is the result");
    expect(first.stdout).not.toMatch(/missing|synthetic/i);
    expect(first.stderr.split("\n").slice(0, 3)).toEqual([
      `Data: ${place.folder}/data/tiny`,
      "A tiny study",
      `Engine: cpu, tfjs 4.22.0 in plain JavaScript (${place.folder}/experiments/tiny.yaml:8)`,
    ]);
    for (const trial of ["sdt  seed 0", "sdt  seed 1", "lmam  seed 0", "lmam  seed 1"]) {
      expect(first.stderr).toContain(`✓ folder  ${trial}  weighted-f1 `);
    }
  });

  test("run again trains nothing, says so, and prints the same bytes", async () => {
    const statuses = filesOf(place.folder, "status.json");
    const again = await place.exp("run", "tiny");
    expect(again.code).toBe(0);
    expect(again.stdout).toBe(first.stdout);
    expect(again.stderr).toMatch("All 4 trials are stored already; nothing to train.");
    expect(again.stderr).not.toMatch("✓");
    expect(filesOf(place.folder, "status.json")).toEqual(statuses);
  }, 60_000);

  test("more seeds keep the finished trials", async () => {
    const before = filesOf(place.folder, "result.json");
    const more = await place.exp("run", "tiny", "fusion=sdt", "--seeds", "3", "--json");
    const { outcome, tables, trials } = document(more) as {
      outcome: unknown;
      tables: { rows: unknown[] }[];
      trials: string[];
    };
    expect(outcome).toEqual({ done: 3, failed: 0, cancelled: 0, passedOver: 0, unstarted: 0 });
    expect(tables).toHaveLength(1);
    expect(trials).toHaveLength(3);
    expect(more.stderr).toMatch("2 of 3 trials are stored already.");
    expect(filesOf(place.folder, "result.json")).toMatchObject(before);
    expect(trialsOf(place.folder).filter(({ isDone }) => isDone)).toHaveLength(5);
    // The study on disk is now the smaller one; this puts the file's own back.
    expect((await place.exp("run", "tiny")).stdout).toBe(first.stdout);
  }, 60_000);

  test("each trial's folder holds what leads back to its numbers", () => {
    for (const { id } of trialsOf(place.folder)) {
      const file = (name: string) => join(place.folder, "runs/tiny/trials", id, name);
      expect(readFileSync(file("predictions.csv"), "utf8").split("\n")).toHaveLength(4); // header, 2 utterances, end
      expect(JSON.parse(readFileSync(file("result.json"), "utf8"))).toMatchObject({
        id,
        classes: ["calm", "tense"],
        seal: { reason: expect.stringContaining("scoring after training") },
        versions: { node: process.versions.node },
      });
      expect(existsSync(file("test-probabilities.npz"))).toBe(true);
    }
  });
});

describe("what looks at stored runs", () => {
  test("exp table prints what exp run printed, and the same numbers in every format", async () => {
    const [plain, ...others] = await Promise.all(
      ["terminal", "md", "latex", "csv", "json"].map((format) => place.exp("table", "tiny", "--format", format)),
    );
    expect(plain?.stdout).toBe(first.stdout);
    const accuracy = first.stdout.match(/^sdt +2 +(\d+\.\d\d)/m)?.[1] ?? "none";
    const [md, latex, csv, json] = others.map((ended) => (ended.code === 0 ? ended.stdout : ended.stderr));
    expect(md).toMatch(/^\|.*fusion.*\|$/m);
    expect(md).toContain(accuracy);
    expect(latex).toContain("\\begin{tabular}");
    expect(latex).toContain(accuracy);
    expect(csv?.trim().split("\n").length).toBeGreaterThan(2);
    const [table] = JSON.parse(json ?? "") as { cells: { mean?: number }[][] }[];
    const means = (table?.cells[0] ?? []).flatMap(({ mean }) =>
      mean === undefined ? [] : [mean.toFixed(2), (100 * mean).toFixed(2)],
    );
    expect(means).toContain(accuracy);
  }, 60_000);

  test("exp ls and exp show, as text and as JSON", async () => {
    const id = trialsOf(place.folder)[0]?.id ?? "";
    const [experiments, plugins, datasets, runs, show, text] = await Promise.all([
      place.exp("ls", "--json"),
      place.exp("ls", "plugins", "--json"),
      place.exp("ls", "datasets", "--json"),
      place.exp("ls", "runs", "--json"),
      place.exp("show", id, "--json"),
      place.exp("show", id.slice(0, 8)),
    ]);
    expect(document(experiments)).toContainEqual({ name: "tiny", title: "A tiny study", datasets: "folder", seeds: 2 });
    expect(document(experiments)).toContainEqual(expect.objectContaining({ name: "sdt-vs-lmam" }));
    expect(document(plugins)).toContainEqual(
      expect.objectContaining({ group: "fusion", name: "lmam", from: "plugin" }),
    );
    expect(document(datasets)).toContainEqual(expect.objectContaining({ name: "synthetic", found: "built in" }));
    expect(document(runs)).toHaveLength(5);
    expect(document(runs)).toContainEqual(expect.objectContaining({ run: id, state: "done", data: "real" }));
    expect(document(show)).toMatchObject({
      spec: { id },
      curves: { "train/total": [expect.any(Number), {}, {}].map(() => expect.any(Number)) },
    });
    expect(text.stdout).toMatch(/^A tiny study {2}folder/);
    expect(text.stdout).toContain(`run ${id} in `);
    expect(text.stdout).toMatch(/chosen on validation; max-test is epoch/);
  }, 60_000);

  test("exp plan, exp doctor and exp data check, as text and as JSON", async () => {
    const [plan, planText, doctor, check, checkText] = await Promise.all([
      place.exp("plan", "tiny", "--seeds", "3", "--json"),
      place.exp("plan", "tiny", "fusion.lmam.rank=2,3", "--difference", "0.5"),
      place.exp("doctor", "--json"),
      place.exp("data", "check", "data/tiny", "--json"),
      place.exp("data", "check", "data/tiny"),
    ]);
    const planned = document(plan) as {
      trials: { state: string; seed: number }[];
      schedule: unknown;
      expectedSeconds: number;
    };
    expect(planned.schedule).toEqual({ jobs: 1, threads: 1, notes: [] });
    expect(planned.trials.map(({ seed, state }) => `${seed} ${state}`)).toEqual([
      "0 done",
      "0 done",
      "1 done",
      "1 done",
      "2 done",
      "2 missing",
    ]);
    expect(planned.expectedSeconds).toBeGreaterThan(0);
    expect(planText.stdout).toMatch(/folder {2}lmam {2}rank 3 {2}seed 1 +missing/);
    expect(planText.stdout).toMatch(/2 of 6 trials are done; \d+ at a time; /);
    expect(planText.stdout).toMatch(/Seeds for a difference of 0\.5 points in Accuracy .*\n +folder +\d+ per method/);
    expect(document(doctor)).toMatchObject({
      engines: [
        { name: "onnx", state: "works", threads: "many", versions: { onnxruntime: expect.any(String) } },
        { name: "wasm", state: "works", threads: "one" },
        { name: "cpu", state: "works", threads: "one" },
        { name: "onnx-webgpu" },
      ],
      findings: expect.arrayContaining([
        { what: "engine wasm", state: "works", found: expect.stringContaining("WebAssembly SIMD") },
        { what: "engine auto", state: "works", found: "takes onnx (the fastest that works here)" },
      ]),
    });
    expect(document(check)).toMatchObject({ name: "tiny", problems: [], modalities: [{ name: "text", width: 2 }] });
    expect(checkText.stdout).toMatch(/can be trained on/);
    expect(trialsOf(place.folder)).toHaveLength(5);
  }, 60_000);
});

describe("help", () => {
  const commands = [
    runCommand,
    planCommand,
    tableCommand,
    lsCommand,
    showCommand,
    dataCommand,
    newCommand,
    pluginCommand,
    doctorCommand,
  ].flatMap((create) => {
    const command = create();
    return command.commands.length === 0 ? [command] : [...command.commands];
  });

  test.each(commands.map((command) => [command.name(), command] as const))("of %s has examples", async (_, command) => {
    let text = "";
    command.exitOverride().configureOutput({
      writeOut: (part) => {
        text += part;
      },
    });
    await expect(command.parseAsync(["--help"], { from: "user" })).rejects.toMatchObject({ exitCode: 0 });
    expect(text).toMatch(/Examples:\n {2}\$ exp /);
    expect(text).toMatch("--json");
  });

  test("of exp names every command", async () => {
    const { code, stdout } = await place.exp("--help");
    expect(code).toBe(0);
    for (const name of ["run", "plan", "table", "ls", "show", "data", "new", "plugin", "doctor"]) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, "m"));
    }
  }, 60_000);
});

describe("without data", () => {
  const bare = createWorkplace();
  afterAll(bare.remove);

  test("synthetic data stand in, and first lines, table and trials say so", async () => {
    bare.write({
      "experiments/fallback.yaml": `title: Nothing to read
datasets: [meld, iemocap]
base:
  dataset.synthetic.dialogues: { train: 4, valid: 2, test: 2 }
  dataset.synthetic.lengths: [2, 4]
  encoder: linear
  encoder.dim: 8
  objective: cross-entropy
  engine: cpu
  trainer.epochs: 1
`,
    });
    const { code, stdout, stderr } = await bare.exp("run", "fallback");
    expect(code).toBe(0);
    expect(stderr.split("\n").slice(0, 3)).toEqual([
      expect.stringMatching(/^SYNTHETIC DATA: these numbers say nothing about any real corpus\. .*--data DIR/),
      "not found: meld, iemocap; synthetic data instead",
      "Nothing to read",
    ]);
    expect(stdout).toMatch(/Synthetic data: these\s+numbers\s+say\s+nothing/);
    expect(trialsOf(bare.folder, "fallback").map(({ spec }) => spec.data)).toEqual([
      { fingerprint: expect.any(String), source: "synthetic" },
    ]);
    const show = await bare.exp("show", trialsOf(bare.folder, "fallback")[0]?.id ?? "");
    expect(show.stdout).toMatch("SYNTHETIC DATA");
  }, 60_000);
});
