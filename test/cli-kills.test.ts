// Fifty times kill -9 at random moments, of `exp run` and its workers, of the supervisors that launchers start and their
// trainers, and of `exp sync`, which all take over from each other: what is stored in the end is what a run stores that
// nothing disturbed, and the server has every point once. MERCLAB_KILLS asks for another number of kills,
// MERCLAB_KILL_SEED for other moments; MLflow takes part where there is one (MERCLAB_MLFLOW).
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type JournalRecord, readJournal } from "@merclab/runner";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MlflowClient } from "../packages/mlflow-js-client/src/index.ts";
import { findMlflow, type MlflowServer, startMlflowServer } from "../packages/mlflow-js-client/test/server.ts";
import { createWorkplace, filesOf, STUDY, trialsOf } from "./support/cli.ts";
import { type Disturbance, disturb } from "./support/kills.ts";

const KILLS = Number(process.env.MERCLAB_KILLS ?? 50);
const SEED = Number(process.env.MERCLAB_KILL_SEED ?? 0);
const HAS_MLFLOW = findMlflow() !== undefined;
const TIMEOUT_MS = 120_000 + 10_000 * KILLS;

const EPOCHS = 60;
const RUN = [`trainer.epochs=${EPOCHS}`, "--jobs", "2", "--checkpoint-every", "0"];
/** What a launcher's tasks do is tried without one: its manifest is for the user to apply, and lists the trials. */
const MANIFEST = ["--launcher", "kubernetes", "launcher.image=lab", "launcher.claim=c", "launcher.mount=/runs"];
const SUPERVISE = ["trial", "run", "--all", "--checkpoint-every", "0", "--from-array"];
const SHIP = ["sync", "--watch"];
/** What a trial that is done leaves, whoever trained it. */
const FILES = [
  "environment.json",
  "journal.jsonl",
  "predictions.csv",
  "result.json",
  "status.json",
  "system.jsonl",
  "test-probabilities.npz",
  "weights.safetensors",
];
const FILES_OF_DONE = [...FILES, ...(HAS_MLFLOW ? ["tracking"] : []), "trial.json"].sort();
/** And what only some of those who train leave. */
const LOGS = ["attempts", "worker.log"];

describe(`a study that is killed ${KILLS} times`, () => {
  const [place, undisturbed] = [createWorkplace(), createWorkplace()];
  let server: MlflowServer | undefined;
  let expected = "";
  let disturbance: Disturbance;
  /** A study that came to its end before all kills were done is followed by another one. */
  const rounds: string[] = [];

  beforeAll(async () => {
    server = HAS_MLFLOW ? await startMlflowServer() : undefined;
    const environment = server === undefined ? {} : { MLFLOW_TRACKING_URI: server.uri };
    const ended = await undisturbed.exp("run", "tiny", ...RUN);
    expect(ended).toMatchObject({ code: 0 });
    expected = ended.stdout;
    const shipper = server === undefined ? undefined : SHIP;
    disturbance = await disturb(place, environment, KILLS, SEED, shipper, async () => {
      const last = rounds.at(-1);
      const isOver = last === undefined || trialsOf(place.folder, last).every(({ isDone }) => isDone);
      const round = isOver ? `round-${rounds.length}` : last;
      if (isOver) {
        rounds.push(round);
        place.write({ [`experiments/${round}.yaml`]: STUDY });
        const submitted = await place.exp("run", round, RUN[0] ?? "", ...MANIFEST);
        expect(submitted, submitted.stderr).toMatchObject({ code: 0 });
      }
      return { run: ["run", round, ...RUN], supervised: [...SUPERVISE, `runs/${round}/arrays/1.json`] };
    });
    for (const round of rounds) {
      const last = await place.expWith(environment, "run", round, ...RUN);
      expect(last.stderr).not.toMatch(/mlflow/);
      expect(last, last.stderr).toMatchObject({ code: 0, stdout: expected });
    }
  }, TIMEOUT_MS);
  afterAll(async () => {
    place.remove();
    undisturbed.remove();
    await server?.stop();
  }, 60_000);

  test("was killed in all ways, and failed in none but by being killed", () => {
    const { kills, codes } = disturbance;
    expect(Object.values(kills).reduce((sum, times) => sum + times)).toBe(KILLS);
    const { shipper, ...others } = kills;
    expect(Math.min(...Object.values(others), ...(HAS_MLFLOW ? [shipper] : []))).toBeGreaterThan(0);
    // 1 where a trial lost its trainer, of a run twice.
    expect([0, 1]).toEqual(expect.arrayContaining([...new Set(codes)]));
  });

  test("stores the bytes of an undisturbed one, and nothing else", () => {
    for (const round of rounds) {
      for (const name of ["predictions.csv", "test-probabilities.npz", "weights.safetensors"]) {
        expect(filesOf(place.folder, name, round)).toEqual(filesOf(undisturbed.folder, name));
      }
      expect(scores(place.folder, round)).toEqual(scores(undisturbed.folder, "tiny"));
      for (const { id } of trialsOf(place.folder, round)) {
        const folder = join(place.folder, "runs", round, "trials", id);
        expect(
          readdirSync(folder)
            .filter((name) => !LOGS.includes(name))
            .sort(),
        ).toEqual(FILES_OF_DONE);
        expect(unfinishedIn(join(folder, "attempts"))).toEqual([]);
        const [open, ...records] = readJournal(join(folder, "journal.jsonl"));
        expect([open?.t, records.at(-1)?.t]).toEqual(["open", "end"]);
        expect(epochsOf(records).map(({ s }) => s)).toEqual(Array.from({ length: EPOCHS }, (_, i) => i + 1));
      }
      expect(readdirSync(join(place.folder, "runs", round)).sort()).toEqual([
        "arrays",
        "study.json",
        ...(HAS_MLFLOW ? ["tracking"] : []),
        "trials",
      ]);
    }
    expect(place.processes()).toEqual([]);
  });

  test.skipIf(!HAS_MLFLOW)(
    "is on the MLflow server with every point once (needs an mlflow)",
    async () => {
      const client = new MlflowClient({ trackingUri: server?.uri ?? "", env: {} });
      for (const round of rounds) {
        const experiment = await client.getExperimentByName(round);
        for (const { id } of trialsOf(place.folder, round)) {
          const journal = readJournal(join(place.folder, "runs", round, "trials", id, "journal.jsonl"));
          const runs = [];
          for await (const run of client.searchRuns({
            experimentIds: [experiment?.experimentId ?? ""],
            filter: `tags."merclab.trial" = '${id}'`,
          })) {
            runs.push(run);
          }
          expect(runs).toHaveLength(1);
          const [run] = runs;
          expect(run?.info.status).toBe("FINISHED");
          for (const key of Object.keys(epochsOf(journal)[0]?.v ?? {})) {
            const points: [number, number][] = [];
            for await (const { step, value } of client.getMetricHistory(run?.info.runId ?? "", key)) {
              points.push([step, value]);
            }
            const wanted = epochsOf(journal).map(({ s, v }): [number, number] => [s, Number(v[key])]);
            expect(points.map(([step]) => step).sort((a, b) => a - b)).toEqual(wanted.map(([step]) => step));
            if (key !== "epoch-seconds") {
              expect(points.sort(([a], [b]) => a - b)).toEqual(wanted);
            }
          }
        }
      }
    },
    TIMEOUT_MS,
  );
});

/** What lies in the folders of attempts that belongs there no more. */
function unfinishedIn(attempts: string): string[] {
  const files = existsSync(attempts) ? readdirSync(attempts, { recursive: true, encoding: "utf8" }) : [];
  return files.filter((name) => !/^\d+(\/(stdout\.log|stderr\.log|exit\.json))?$/.test(name));
}

function epochsOf(records: readonly JournalRecord[]) {
  return records.filter((record) => record.t === "m");
}

/** Results without their times. */
function scores(folder: string, experiment: string) {
  return Object.values(filesOf(folder, "result.json", experiment)).map((text) => {
    const {
      seconds: _,
      seal: __,
      ...rest
    } = JSON.parse(Buffer.from(text, "base64").toString()) as Record<string, unknown>;
    return rest;
  });
}
