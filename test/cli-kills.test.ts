// Fifty times kill -9 at random moments, of the command with its MLflow shipper and of its workers: what is stored in the
// end is what a run stores that nothing disturbed, and the server has every point once. MERCLAB_KILLS asks for another
// number of kills, MERCLAB_KILL_SEED for other moments; MLflow takes part where there is one (MERCLAB_MLFLOW).
import { readdirSync } from "node:fs";
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
/** What a trial that is done leaves. */
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
const FILES_OF_DONE = [...FILES, ...(HAS_MLFLOW ? ["tracking"] : []), "trial.json", "worker.log"].sort();

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
    disturbance = await disturb(place, environment, KILLS, SEED, () => {
      const last = rounds.at(-1);
      if (last === undefined || trialsOf(place.folder, last).every(({ isDone }) => isDone)) {
        rounds.push(`round-${rounds.length}`);
        place.write({ [`experiments/round-${rounds.length - 1}.yaml`]: STUDY });
      }
      return ["run", rounds.at(-1) ?? "", ...RUN];
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
    expect(kills.runner + kills.worker + kills.group).toBe(KILLS);
    expect(Math.min(...Object.values(kills))).toBeGreaterThan(0);
    // 1 where a trial lost its worker twice in one run.
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
        expect(readdirSync(folder).sort()).toEqual(FILES_OF_DONE);
        const [open, ...records] = readJournal(join(folder, "journal.jsonl"));
        expect([open?.t, records.at(-1)?.t]).toEqual(["open", "end"]);
        expect(epochsOf(records).map(({ s }) => s)).toEqual(Array.from({ length: EPOCHS }, (_, i) => i + 1));
      }
      expect(readdirSync(join(place.folder, "runs", round)).sort()).toEqual(
        [...(HAS_MLFLOW ? ["tracking"] : []), "study.json", "trials"].sort(),
      );
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
