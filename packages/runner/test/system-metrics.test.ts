// What is sampled while a trial trains, with an nvidia-smi of the test's own on PATH.
import { appendFileSync, chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseGitStatus } from "../src/origin/git-state.ts";
import type { JournalRecord } from "../src/store/journal.ts";
import { createGpuReader, parseGpus } from "../src/system-metrics/gpus.ts";
import { samplingFrom, startSampling } from "../src/system-metrics/sampler.ts";
import { temporaryFolder } from "./tracking-study.ts";

const { PATH } = process.env;
let folder = "";

beforeEach(() => {
  folder = temporaryFolder();
  process.env.PATH = folder; // nothing else on it: a machine without nvidia-smi
});

afterEach(() => {
  process.env.PATH = PATH;
});

/** Puts an nvidia-smi on PATH that runs this script. */
function installNvidiaSmi(script: string): void {
  const file = join(folder, "nvidia-smi");
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  process.env.PATH = `${folder}${delimiter}${PATH}`;
}

const samples = (file: string) =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Extract<JournalRecord, { t: "m" }>);

describe("sampling", () => {
  test("writes machine, process and GPUs under MLflow's names, and numbers samples over attempts", async () => {
    installNvidiaSmi(`[ "$2" = --format=csv,noheader,nounits ] && echo "0, 37, 1024, 4096, 55.5, 220.00"`);
    const file = join(folder, "system.jsonl");
    const end = startSampling(file, { seconds: 0.05 });
    await expect.poll(() => existsSync(file) && samples(file).length, { timeout: 10_000 }).toBeGreaterThan(1);
    await end();
    const first = samples(file);
    expect(first.map(({ s }) => s)).toEqual(first.map((_, i) => i));
    expect(first.at(-1)?.v).toMatchObject({
      "system/gpu_0_utilization_percentage": 37,
      "system/gpu_0_memory_usage_megabytes": 1024,
      "system/gpu_0_memory_usage_percentage": 25,
      "system/gpu_0_power_usage_watts": 55.5,
      "system/gpu_0_power_usage_percentage": 25.227,
    });
    const range = (name: string, low: number, high: number) => {
      const value = Number(first.at(-1)?.v[`system/${name}`]);
      expect(value, name).toBeGreaterThanOrEqual(low);
      expect(value, name).toBeLessThanOrEqual(high);
    };
    range("cpu_utilization_percentage", 0, 100);
    range("system_memory_usage_percentage", 1, 100);
    range("process_memory_usage_megabytes", 20, 1e5);
    range("process_cpu_utilization_percentage", 0, 1e4);
    range("disk_usage_percentage", 0, 100);

    appendFileSync(file, '{"t":"m","s":'); // a kill
    await startSampling(file, { seconds: 60 })();
    const lines = readFileSync(file, "utf8").split("\n");
    expect(lines.at(-1)).toBe("");
    expect(JSON.parse(lines.at(-2) ?? "")).toMatchObject({ s: first.length + 1 });
    expect(existsSync(file)).toBe(true);
    await sleep(150);
    expect(readFileSync(file, "utf8").split("\n")).toEqual(lines); // it has ended
  });

  test("counts the CPU time of a process that was too busy for its timer", async () => {
    const file = join(folder, "system.jsonl");
    const end = startSampling(file, { seconds: 60 });
    const until = performance.now() + 200;
    while (performance.now() < until);
    await end();
    // Of 200 ms a loaded machine gives a part only.
    expect(Number(samples(file)[0]?.v["system/process_cpu_utilization_percentage"])).toBeGreaterThan(3);
  });

  test("can be switched off, and never fails", async () => {
    const file = join(folder, "system.jsonl");
    await startSampling(file, { seconds: 0 })();
    expect(existsSync(file)).toBe(false);
    await startSampling(join(folder, "not", "there", "system.jsonl"), { seconds: 60 })();
  });

  test("is set by MLflow's own variables", () => {
    expect(samplingFrom({})).toEqual({ seconds: 10 });
    expect(samplingFrom({ MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL: "2.5" })).toEqual({ seconds: 2.5 });
    expect(samplingFrom({ MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: "False" })).toEqual({ seconds: 0 });
    for (const interval of ["0", "-1", "x", "1e9"]) {
      expect(() => samplingFrom({ MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL: interval })).toThrow(/seconds/);
    }
    expect(() => samplingFrom({ MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: "maybe" })).toThrow(/yes nor no/);
  });
});

describe("nvidia-smi", () => {
  test("that is not there, fails or prints nonsense gives no GPUs", async () => {
    expect(await createGpuReader()()).toEqual([]);
    installNvidiaSmi("echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9");
    expect(await createGpuReader()()).toEqual([]);
    installNvidiaSmi("echo 'No devices were found'");
    expect(await createGpuReader()()).toEqual([]);
  });

  test("leaves out what a GPU does not tell", () => {
    const text = "0, [N/A], 10, 100, [Not Supported], [N/A]\n1, 5, 20, 100, 30.25, 300\n\nwarning: something\n";
    expect(parseGpus(text)).toEqual([
      { index: 0, memoryUsedMegabytes: 10, memoryTotalMegabytes: 100 },
      {
        index: 1,
        utilization: 5,
        memoryUsedMegabytes: 20,
        memoryTotalMegabytes: 100,
        powerWatts: 30.25,
        powerLimitWatts: 300,
      },
    ]);
  });
});

test("git's state is read from its porcelain: commit, branch, and whether tracked files differ", () => {
  const commit = "a".repeat(40);
  const head = `# branch.oid ${commit}\n# branch.head main\n`;
  expect(parseGitStatus(head)).toEqual({ commit, branch: "main", dirty: false });
  expect(parseGitStatus(`${head}1 .M N... 100644 100644 100644 ${commit} ${commit} a.ts\n`)).toMatchObject({
    dirty: true,
  });
  expect(parseGitStatus(`# branch.oid ${commit}\n# branch.head (detached)\n`)).toEqual({ commit, dirty: false });
  expect(parseGitStatus("# branch.oid (initial)\n# branch.head main\n")).toBeUndefined();
});
