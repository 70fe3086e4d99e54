// Workers take trial after trial. Whatever a trial did in a process, the next one there is the same, bit by bit, as in a
// process of its own.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type JournalRecord, readJournal, type TrialResult } from "@merclab/runner";
import { afterAll, describe, expect, test } from "vitest";
import { createWorkplace, filesOf, STUDY, trialsOf, type Workplace } from "./support/cli.ts";

const TIMEOUT_MS = 240_000;
const places: Workplace[] = [];
afterAll(() => {
  for (const place of places) {
    place.remove();
  }
});

async function study(engine: string, jobs: number): Promise<Workplace> {
  const place = createWorkplace();
  places.push(place);
  place.write({ "experiments/tiny.yaml": STUDY.replace("engine: cpu", `engine: ${engine}`) });
  const ended = await place.exp("run", "tiny", "--jobs", String(jobs), "--threads", "1");
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  return place;
}

/** Everything that a trial computed, by trial, without the times. */
function numbersOf(place: Workplace) {
  return Object.fromEntries(
    trialsOf(place.folder).map(({ id }) => {
      const file = (name: string) => join(place.folder, "runs/tiny/trials", id, name);
      const { test: scores, selection } = JSON.parse(readFileSync(file("result.json"), "utf8")) as TrialResult;
      const epochs = readJournal(file("journal.jsonl"))
        .filter((record): record is Extract<JournalRecord, { t: "m" }> => record.t === "m")
        .map(({ s, v }) => ({ ...v, s, "epoch-seconds": 0 }));
      return [id, { scores, selection, epochs }];
    }),
  );
}

const pidsOf = (place: Workplace) => new Set(trialsOf(place.folder).map(({ pid }) => pid));

describe.each(["onnx", "wasm", "cpu"])("on engine %s", (engine) => {
  test(
    "four trials in one process have the numbers of four processes",
    async () => {
      const [together, apart] = [await study(engine, 1), await study(engine, 4)];
      expect(pidsOf(together).size).toBe(1);
      expect(pidsOf(apart).size).toBe(4);
      expect(numbersOf(together)).toEqual(numbersOf(apart));
      for (const name of ["trial.json", "predictions.csv", "test-probabilities.npz"]) {
        expect(filesOf(together.folder, name)).toEqual(filesOf(apart.folder, name));
      }
      expect(together.processes()).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
