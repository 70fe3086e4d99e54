// From a file as the field passes it round to a trained table, as a user does it: import, check, split, text, run.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeTinyEncoder } from "../packages/data/test/tiny-encoder.ts";
import { createWorkplace, type Workplace } from "./support/cli.ts";

const LAYOUTS = resolve(import.meta.dirname, "../packages/data/test/fixtures/layouts");

let place: Workplace;
beforeAll(() => {
  place = createWorkplace();
  for (const file of [
    "sdt/iemocap_multimodal_features.pkl",
    "mmsa/unaligned_50.pkl",
    "meld/train_sent_emo.csv",
    "meld/dev_sent_emo.csv",
    "meld/test_sent_emo.csv",
  ]) {
    mkdirSync(join(place.folder, "files"), { recursive: true });
    copyFileSync(join(LAYOUTS, file), join(place.folder, "files", file.split("/")[1] ?? ""));
  }
});
afterAll(() => place.remove());

const STUDY = `title: An imported file
datasets: [folder]
base:
  dataset.folder.path: iemocap-sdt
  encoder: linear
  encoder.dim: 8
  objective: cross-entropy
  engine: cpu
  trainer.epochs: 2
matrix:
  fusion: [sdt]
seeds: 1
tables:
  - { rows: fusion, metrics: [accuracy] }
`;

test("a file is imported, checked, split and trained on", async () => {
  const imported = await place.exp(
    "data",
    "import",
    "files/iemocap_multimodal_features.pkl",
    "--out",
    "data/iemocap-sdt",
  );
  expect(imported.code).toBe(0);
  expect(imported.stdout).toContain("layout sdt-iemocap, detected");
  expect(imported.stdout).toContain("note: text is roberta1");

  const check = await place.exp("data", "check", "data/iemocap-sdt");
  expect(check.code).toBe(0);
  expect(check.stdout).toContain("imported from iemocap_multimodal_features.pkl, layout sdt-iemocap");

  const split = await place.exp("data", "split", "data/iemocap-sdt", "--by", "session", "--json");
  expect((JSON.parse(split.stdout) as { folds: { groups: string[] }[] }).folds.map(({ groups }) => groups)).toEqual([
    ["01"],
    ["02"],
    ["04"],
    ["05"],
  ]);

  place.write({ "experiments/imported.yaml": STUDY });
  const run = await place.exp("run", "imported", "--json");
  expect(run.stderr).not.toContain("error");
  expect(run.code).toBe(0);
  const fold = await place.exp("run", "imported", "dataset.folder.split={ by: session, fold: 1 }", "--json");
  expect(fold.code).toBe(0);
  expect(readdirSync(join(place.folder, "runs/imported/trials"))).toHaveLength(2);
}, 120_000);

test("sentences become features that are in the folder at once", async () => {
  writeTinyEncoder(join(place.folder, "encoder"));
  const imported = await place.exp("data", "import", "files/train_sent_emo.csv", "--out", "data/meld-text");
  expect(imported.stdout).toContain("layout meld-csv, detected");
  const text = await place.exp("data", "text", "data/meld-text", "--encoder", "encoder", "--no-cache");
  expect(text.stderr).toContain("sentences");
  expect(text.stdout).toContain("11 x 3");
  expect((await place.exp("data", "check", "data/meld-text")).code).toBe(0);
}, 60_000);

describe("what is wrong is told, and nothing is left behind", () => {
  test("a pickle that names os.system is refused with that name", async () => {
    writeFileSync(join(place.folder, "files/evil.pkl"), "cos\nsystem\n(S'touch pwned'\ntR.");
    const refused = await place.exp("data", "import", "files/evil.pkl", "--out", "data/evil");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("the pickle names os.system, which is no plain data: it is refused");
    expect(existsSync(join(place.folder, "pwned"))).toBe(false);
    expect(readdirSync(join(place.folder, "data"))).not.toContain("evil");
    const checked = await place.exp("data", "check", "files/evil.pkl", "--json");
    expect(JSON.parse(checked.stderr)).toMatchObject({
      error: { code: "data", message: expect.stringContaining("os.system") },
    });
  }, 60_000);

  test("a changed file of an imported folder: exit code 1, and which one", async () => {
    await place.exp("data", "import", "files/unaligned_50.pkl", "--out", "data/mmsa");
    const table = join(place.folder, "data/mmsa/utterances.csv");
    writeFileSync(table, readFileSync(table, "utf8").replace("clip 0 0", "clip 0 1"));
    const check = await place.exp("data", "check", "data/mmsa");
    expect(check.code).toBe(1);
    expect(check.stdout).toContain("utterances.csv is not the file that was written: its checksum differs");
  }, 60_000);

  test("a file of an unknown layout is described; a wrong one, too", async () => {
    const unknown = await place.exp("data", "import", "data/tiny/text.npy", "--out", "data/none");
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain("no known layout fits");
    expect(unknown.stderr).toContain("an array [10, 2] of <f4");
    const wrong = await place.exp("data", "check", "files/unaligned_50.pkl", "--as", "sdt-meld");
    expect(wrong.stderr).toContain("not of layout sdt-meld: it is a dict of 3, expected a tuple of 13");
  }, 60_000);
});
