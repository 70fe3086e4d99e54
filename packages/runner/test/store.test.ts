// What is written to disk: whole or not at all, read back as it was, and clear about what cannot be.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  attemptJournal,
  createTrialFolder,
  metricsRecord,
  readExperimentNames,
  readJournal,
  readJson,
  readStudy,
  readTrial,
  readTrials,
  TRIAL_FILES,
  trialFolder,
  writeJson,
} from "../src/index.ts";
import { errorOf, temporaryFolder } from "./support.ts";
import { trialSpec } from "./tracking-study.ts";

describe("JSON files", () => {
  test("come back as they were, in a folder made for them, with nothing left beside them", async () => {
    const folder = join(temporaryFolder(), "new", "one");
    const file = join(folder, "a.json");
    for (const value of [{ a: [1, "ä", null] }, { a: 2 }]) {
      await writeJson(file, value);
      expect(await readJson(file)).toEqual(value);
    }
    expect(readdirSync(folder)).toEqual(["a.json"]);
  });

  test("are seen whole by a reader while they are replaced", async () => {
    const file = join(temporaryFolder(), "a.json");
    const values = [0, 1].map((each) => ({ each, filler: String(each).repeat(200_000) }));
    await writeJson(file, values[0]);
    let writing = true;
    const writes = (async () => {
      for (let i = 1; i <= 20; i++) {
        await writeJson(file, values[i % 2]);
      }
      writing = false;
    })();
    const seen = new Set<number>();
    while (writing) {
      const { each, filler } = JSON.parse(readFileSync(file, "utf8")) as { each: number; filler: string };
      expect(filler).toBe(String(each).repeat(200_000));
      seen.add(each);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writes;
    expect(seen).toEqual(new Set([0, 1]));
  });

  test("that are not there are undefined", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    expect(await readJson(join(folder, "nothing.json"))).toBeUndefined();
    expect(await readJson(join(folder, "file", "below.json"))).toBeUndefined();
  });

  test.each(["", '{"a":', "\0\0\0"])("that hold %j are told by name", async (text) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "a.json"), text);
    expect(await errorOf(() => readJson(join(folder, "a.json")), folder)).toMatch(
      /^storage \| - \| DIR\/a.json is no JSON: .* \| .*move it away/,
    );
  });

  test("that cannot be read or written give a storage error that says what to do", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    mkdirSync(join(folder, "a.json"));
    expect(await errorOf(() => readJson(join(folder, "a.json")), folder)).toMatch(
      /^storage \| - \| cannot read DIR\/a.json: EISDIR.*--runs DIR/,
    );
    expect(await errorOf(() => writeJson(join(folder, "file", "runs", "a.json"), 1), folder)).toMatch(
      /^storage \| - \| cannot write DIR\/file\/runs\/a.json: ENOTDIR.*--runs DIR/,
    );
  });
});

describe("trials", () => {
  test("are found by their folders, each with what it has", async () => {
    const runs = temporaryFolder();
    const folder = await createTrialFolder(runs, trialSpec(1));
    await createTrialFolder(runs, trialSpec(0));
    await writeJson(join(folder, TRIAL_FILES.result), { schema: 1 });
    mkdirSync(trialFolder(runs, "one-protocol", "without-spec"));
    const trials = await readTrials(runs, "one-protocol");
    expect(trials.map(({ spec, result }) => [spec.id, result !== undefined])).toEqual([
      ["trial-0", false],
      ["trial-1", true],
    ]);
    expect(await readExperimentNames(runs)).toEqual(["one-protocol"]);
  });

  test("keep the spec that they began with", async () => {
    const runs = temporaryFolder();
    const folder = await createTrialFolder(runs, trialSpec(1));
    await createTrialFolder(runs, trialSpec(1, { title: "Another title" }));
    expect((await readTrial(folder)).spec.title).toBe("SDT, one protocol");
  });

  test("of an experiment that never ran, or in a place that is none, are none", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    expect(await readTrials(folder, "never")).toEqual([]);
    expect(await readExperimentNames(join(folder, "nowhere"))).toEqual([]);
    expect(await readExperimentNames(join(folder, "file"))).toEqual([]);
    expect(await errorOf(() => readTrial(folder), folder)).toMatch("DIR is no trial folder: it has no trial.json");
  });

  test("an experiment without runs is told, with the nearest one that has some", async () => {
    const runs = temporaryFolder();
    await createTrialFolder(runs, trialSpec(1));
    expect(await errorOf(() => readStudy(runs, "one-protocoll"), runs)).toBe(
      'config | - | experiment "one-protocoll" has no stored runs in DIR | ' +
        'Did you mean "one-protocol"? Run it first: exp run one-protocoll',
    );
  });
});

describe("journals", () => {
  const open = { t: "open", format: 1, runKey: "x", attempt: 1, ts: 5 } as const;

  test("come back record by record; a new attempt starts anew", () => {
    const file = join(temporaryFolder(), "journal.jsonl");
    attemptJournal(file, open).append({ t: "end", status: "FAILED", ts: 6, reason: "why\nnot" });
    expect(readJournal(file)).toEqual([open, { t: "end", status: "FAILED", ts: 6, reason: "why\nnot" }]);
    attemptJournal(file, { ...open, attempt: 2 });
    expect(readJournal(file)).toEqual([{ ...open, attempt: 2 }]);
    expect(readJournal(join(file, "nowhere"))).toEqual([]);
  });

  test("cut off anywhere hold the records before the cut", () => {
    const file = join(temporaryFolder(), "journal.jsonl");
    const journal = attemptJournal(file, open);
    journal.append(metricsRecord(1, { "train/ä": 0.5 }));
    journal.append(metricsRecord(2, { "train/ä": 0.25 }));
    const bytes = readFileSync(file);
    const all = readJournal(file);
    fc.assert(
      fc.property(fc.nat(bytes.length), (length) => {
        const cut = bytes.subarray(0, length);
        writeFileSync(file, cut);
        const complete = cut.toString("latin1").split("\n").length - 1;
        expect(readJournal(file)).toEqual(all.slice(0, complete));
      }),
    );
  });

  test("keep NaN and infinities by name", () => {
    const file = join(temporaryFolder(), "journal.jsonl");
    const values = { a: Number.NaN, b: Number.POSITIVE_INFINITY, c: Number.NEGATIVE_INFINITY, d: -0.5 };
    attemptJournal(file, open).append(metricsRecord(3, values));
    expect(readJournal(file)[1]).toMatchObject({
      t: "m",
      s: 3,
      v: { a: "NaN", b: "Infinity", c: "-Infinity", d: -0.5 },
    });
  });

  test("that something else changed are told with their line", async () => {
    const folder = temporaryFolder();
    const file = join(folder, "journal.jsonl");
    writeFileSync(file, `${JSON.stringify(open)}\nnot JSON\n`);
    expect(await errorOf(() => readJournal(file), folder)).toMatch(/^storage \| DIR\/journal.jsonl:2 \| a line of the/);
  });
});

test("a spec of another trial is never written over", async () => {
  const runs = temporaryFolder();
  const folder = await createTrialFolder(runs, trialSpec(1));
  writeFileSync(join(folder, TRIAL_FILES.spec), "torn");
  await createTrialFolder(runs, trialSpec(1));
  expect(existsSync(folder)).toBe(true);
  expect(await errorOf(() => readTrials(runs, "one-protocol"), runs)).toMatch(/trial-1\/trial.json is no JSON/);
});
