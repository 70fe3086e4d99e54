// What users do with trained models on the command line: stress them, predict with them, train them again.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWorkplace, trialsOf } from "./support/cli.ts";

const TIMEOUT_MS = 120_000;
const place = createWorkplace();
afterAll(place.remove);

const idOf = (fusion: string, seed: number): string => {
  const found = trialsOf(place.folder).find(
    ({ spec }) => spec.seed === seed && (spec.config as { fusion: { name: string } }).fusion.name === fusion,
  );
  return found?.id ?? "";
};
const fileOf = (id: string, name: string) => join(place.folder, "runs/tiny/trials", id, name);

beforeAll(async () => {
  expect(await place.exp("run", "tiny")).toMatchObject({ code: 0 });
  expect(await place.exp("run", "tiny", "fusion=lmam", "seeds=[6]", "--keep-weights", "none")).toMatchObject({
    code: 0,
  });
}, TIMEOUT_MS);

describe("weights", () => {
  test("are stored unless nobody wants them", () => {
    expect(existsSync(fileOf(idOf("sdt", 0), "weights.safetensors"))).toBe(true);
    expect(existsSync(fileOf(idOf("lmam", 6), "weights.safetensors"))).toBe(false);
    expect(existsSync(fileOf(idOf("lmam", 6), "result.json"))).toBe(true);
  });
});

describe("exp stress", () => {
  test(
    "tests an experiment, keeps stress.json, and does not test twice",
    async () => {
      const first = await place.exp("stress", "tiny", "fusion=sdt,lmam", "seed=0,1", "--draws", "2");
      expect(first).toMatchObject({ code: 0 });
      expect(first.stderr.match(/✓ folder {2}(sdt|lmam) {2}seed [01]/g)).toHaveLength(4);
      expect(first.stdout).toMatch(/^folder {2}lmam {2}mean ± sd over seeds 0, 1 {2}Weighted F1, per cent\n/);
      expect(first.stdout).toMatch(/\nrate +0 +0\.1 .* 1\nscore +[▁-█]{11} /);
      expect(first.stdout).toMatch(/robustness .*Weighted F1 [\d.]+ ± [\d.]+ clean/);
      expect(first.stdout).toContain("Yuan et al.");
      const file = fileOf(idOf("sdt", 0), "stress.json");
      const before = readFileSync(file, "utf8");
      const again = await place.exp("stress", "tiny", "fusion=sdt", "seed=0", "--draws", "2", "--json");
      expect(again).toMatchObject({ code: 0, stderr: "" });
      const { groups, trials } = JSON.parse(again.stdout) as { groups: { seeds: number[] }[]; trials: unknown[] };
      expect(groups.map(({ seeds }) => seeds)).toEqual([[0]]);
      expect(trials).toEqual([JSON.parse(before)]);
      expect(readFileSync(file, "utf8")).toBe(before);
      const other = await place.exp(
        "stress",
        idOf("sdt", 0).slice(0, 6),
        "--draws",
        "1",
        "--noise",
        "1",
        "--metric",
        "accuracy",
      );
      expect(other.stdout).toContain("Accuracy, per cent");
      expect((JSON.parse(readFileSync(file, "utf8")) as { seal: unknown[] }).seal).toHaveLength(2);
    },
    TIMEOUT_MS,
  );

  test(
    "names what it cannot do",
    async () => {
      const ended = await Promise.all([
        place.exp("stress", "tiny", "fusoin=sdt"),
        place.exp("stress", "tiny", "seed=6"),
        place.exp("stress", "tiny", "fusion=concat"),
      ]);
      expect(ended.map(({ code }) => code)).toEqual([2, 2, 2]);
      expect(ended[0]?.stderr).toMatch(/the stored runs have no choice "fusoin"[\s\S]*Did you mean "fusion"/);
      expect(ended[1]?.stderr).toContain("stored no weights");
      expect(ended[2]?.stderr).toContain('experiment "tiny" has no run that is done with fusion=concat');
    },
    TIMEOUT_MS,
  );
});

describe("exp predict", () => {
  test(
    "writes csv and npz, from a run or from a file of weights alone",
    async () => {
      const id = idOf("sdt", 0);
      const run = await place.exp("predict", id, "--data", "data/tiny", "--out", "by-run.csv");
      expect(run).toMatchObject({ code: 0, stderr: "" });
      expect(run.stdout).toMatch(/^10 utterances of 5 dialogues predicted: .*by-run\.csv\n$/);
      place.write({ "moved.safetensors": readFileSync(fileOf(id, "weights.safetensors")) });
      const [file, npz] = await Promise.all([
        place.exp("predict", "--weights", "moved.safetensors", "--data", "data/tiny", "--out", "by-file.csv", "--json"),
        place.exp(
          "predict",
          "--weights",
          "moved.safetensors",
          "--data",
          "data/tiny",
          "--out",
          "all.npz",
          "--engine",
          "wasm",
        ),
      ]);
      expect([file.code, npz.code]).toEqual([0, 0]);
      expect(JSON.parse(file.stdout)).toMatchObject({
        dialogues: 5,
        utterances: 10,
        task: { classes: ["calm", "tense"] },
      });
      const text = (name: string) => readFileSync(join(place.folder, name), "utf8");
      expect(text("by-file.csv")).toBe(text("by-run.csv"));
      expect(text("by-run.csv").split("\n")[0]).toBe("dialogue,utterance,predicted,calm,tense");
      expect(existsSync(join(place.folder, "all.npz"))).toBe(true);
    },
    TIMEOUT_MS,
  );

  test(
    "names what it cannot do",
    async () => {
      const ended = await Promise.all([
        place.exp("predict", "--data", "data/tiny", "--out", "x.csv"),
        place.exp("predict", "x", "--data", "data/tiny", "--out", "x.json"),
        place.exp("predict", "--weights", "data/tiny/text.npy", "--data", "data/tiny", "--out", "x.csv"),
      ]);
      expect(ended.map(({ code }) => code)).toEqual([2, 2, 2]);
      expect(ended[0]?.stderr).toContain("which model is to predict?");
      expect(ended[1]?.stderr).toContain("predictions are written as csv or npz");
      expect(ended[2]?.stderr).toContain("not a readable safetensors file");
    },
    TIMEOUT_MS,
  );
});

describe("exp verify", () => {
  test(
    "says equal with 0, within the tolerance with 0, and where it diverged with 1",
    async () => {
      const id = idOf("lmam", 1);
      const [equal, json, wasm] = await Promise.all([
        place.exp("verify", id),
        place.exp("verify", id, "--epochs", "all", "--tolerance", "0", "--json"),
        place.exp("verify", id, "--engine", "onnx", "--epochs", "1"),
      ]);
      expect(equal).toMatchObject({ code: 0, stderr: "" });
      expect(equal.stdout).toMatch(
        /✓ bitwise equal: 3 of 3 epochs trained again on cpu, as then: loss, scores, test pred/,
      );
      expect(JSON.parse(json.stdout)).toMatchObject({ verdict: "bitwise equal", epochs: 3, of: 3, changes: [] });
      expect(wasm.code).toBe(0);
      expect(wasm.stdout).toMatch(
        /✓ (within the tolerance|bitwise equal).*trained again on onnx, where it was trained on cpu/,
      );
      const journal = fileOf(id, "journal.jsonl");
      const stored = readFileSync(journal, "utf8");
      const changed = stored.replace(
        /"losses":"[^"]*"/,
        `"losses":"${Buffer.from(new Float32Array([9]).buffer).toString("base64")}"`,
      );
      expect(changed).not.toBe(stored);
      writeFileSync(journal, changed);
      const diverged = await place.exp("verify", id);
      writeFileSync(journal, stored);
      expect(diverged.code).toBe(1);
      expect(diverged.stdout).toMatch(/✗ diverged at epoch 1, step 1: loss [\d.]+, stored 9\n/);
    },
    TIMEOUT_MS,
  );
});

test(
  "exp plan --probe times configs that never ran, and says so",
  async () => {
    const planned = await place.exp("plan", "tiny", "encoder.dim=16", "--seeds", "1", "--probe", "--json");
    expect(planned).toMatchObject({ code: 0 });
    const { bill, expectedSeconds } = JSON.parse(planned.stdout) as {
      bill: { trials: { secondsFrom: string; seconds: number }[] };
      expectedSeconds: number;
    };
    expect(bill.trials.map(({ secondsFrom }) => secondsFrom)).toEqual(["probe", "probe"]);
    expect(expectedSeconds).toBeGreaterThan(0);
    const text = await place.exp("plan", "tiny", "encoder.dim=16", "--seeds", "1");
    expect(text.stdout).toMatch(/time {4}about .*, by other trials of the study|time {4}time unknown/);
  },
  TIMEOUT_MS,
);
