// Trials of an engine that uses GPUs each see their own, on a machine that says it has two. (What says so is a
// stand-in for nvidia-smi; the engine computes on the CPU and writes down what it was given.)
import { chmodSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createWorkplace, STUDY, trialsOf } from "./support/cli.ts";

const ENGINE = `
import { createEagerEngine, definePlugin } from "@merclab/core";
import { z } from "zod";
export default definePlugin({
  kind: "engine",
  name: "reporting",
  summary: "Says which GPUs it was given",
  rank: 99,
  threads: "one",
  gpu: "visible",
  memory: { baseBytes: 4e8, bytesPerParameter: 20 },
  options: z.strictObject({}),
  probe: async () => ({ state: "works", found: "for tests", versions: {} }),
  create: () => {
    const engine = createEagerEngine("cpu");
    return { ...engine, start: async () => {
      console.log("gpus=" + process.env.CUDA_VISIBLE_DEVICES);
      await engine.start();
    } };
  },
});
`;
const SMI = `#!/bin/sh
echo "GPU 0: NVIDIA Test (UUID: GPU-aaaa)"
echo "GPU 1: NVIDIA Test (UUID: GPU-bbbb)"
`;

const place = createWorkplace();
afterAll(() => place.remove());

test.skipIf(process.platform === "win32")(
  "each trial sees one GPU, by its name",
  async () => {
    place.write({
      "merclab.yaml": "plugins: [./reporting.mjs]\n",
      "reporting.mjs": ENGINE,
      "bin/nvidia-smi": SMI,
      "experiments/tiny.yaml": STUDY.replace("engine: cpu", "engine: reporting"),
    });
    chmodSync(join(place.folder, "bin/nvidia-smi"), 0o755);
    const { CUDA_VISIBLE_DEVICES: _, ...rest } = process.env;
    const environment = { ...rest, PATH: `${join(place.folder, "bin")}${delimiter}${process.env.PATH}` };
    const plan = await place.expWith(environment, "plan", "tiny", "--jobs", "4");
    expect(plan.stdout).toMatch("2 at a time, not --jobs 4: so many have a GPU");
    const { code, stderr } = await place.expWith(environment, "run", "tiny", "--jobs", "2");
    expect(code, stderr).toBe(0);
    const seen = trialsOf(place.folder).map(({ id }) => {
      const log = readFileSync(join(place.folder, "runs/tiny/trials", id, "worker.log"), "utf8");
      return /gpus=(.*)/.exec(log)?.[1];
    });
    expect(seen).toHaveLength(4);
    expect(new Set(seen)).toEqual(new Set(["GPU-aaaa", "GPU-bbbb"]));
  },
  120_000,
);
