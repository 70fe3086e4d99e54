// Which GPUs there are, and how trials share them.
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { planSchedule, type Wishes } from "../src/index.ts";
import { createGpuPool, findGpus, parseList, parseVisible } from "../src/study/gpus.ts";
import { createRegistry, engine, errorOf, temporaryFolder } from "./support.ts";
import { trialSpec } from "./tracking-study.ts";

/** As nvidia-smi of driver 550 prints it. */
const LIST = `GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-11111111-d268-c3f3-1b07-005d5ae1dc3f)
  MIG 3g.20gb     Device  0: (UUID: MIG-aaaaaaaa-f5ba-5eb8-a0fa-7e8fc0ab6c39)
  MIG 3g.20gb     Device  1: (UUID: MIG-bbbbbbbb-f5ba-5eb8-a0fa-7e8fc0ab6c39)
`;
const NAMES = [
  "GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f",
  "MIG-aaaaaaaa-f5ba-5eb8-a0fa-7e8fc0ab6c39",
  "MIG-bbbbbbbb-f5ba-5eb8-a0fa-7e8fc0ab6c39",
];

describe("GPUs of the machine", () => {
  test.each([
    ["0,2", ["0", "2"]],
    ["GPU-5c89852c, MIG-1/2/3", ["GPU-5c89852c", "MIG-1/2/3"]],
    ["", []],
    ["-1", []],
    ["3,-1,0", ["3"]],
    ["NoDevFiles", []],
  ])("CUDA_VISIBLE_DEVICES=%s", (text, names) => {
    expect(parseVisible(text)).toEqual(names);
    expect(findGpus({ CUDA_VISIBLE_DEVICES: text })).toEqual(names);
  });

  test("are those that nvidia-smi lists, a partitioned one by its parts", () => {
    expect(parseList(LIST)).toEqual(NAMES);
    expect(parseList("No devices were found\n")).toEqual([]);
  });

  test.skipIf(process.platform === "win32")("are asked for by the command itself", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "nvidia-smi"), `#!/bin/sh\n[ "$1" = -L ] && cat <<'END'\n${LIST}END\n`);
    chmodSync(join(folder, "nvidia-smi"), 0o755);
    const path = process.env.PATH;
    process.env.PATH = `${folder}:${path}`;
    try {
      expect(findGpus({})).toEqual(NAMES);
      process.env.PATH = `${folder}-of-nothing`;
      expect(findGpus({})).toEqual([]);
    } finally {
      process.env.PATH = path;
    }
  });
});

describe("a pool", () => {
  const shares = async (gpus: string[] | undefined, perTrial: number) => {
    const pool = createGpuPool(gpus, perTrial);
    return Promise.all(Array.from({ length: pool.size }, () => pool.take()));
  };

  test("gives each trial its own, shares or groups", async () => {
    expect(await shares(["0", "3"], 1)).toEqual(["0", "3"]);
    expect(await shares(["0", "3"], 0.5)).toEqual(["0", "3", "0", "3"]);
    expect(await shares(["0", "1", "5"], 2)).toEqual(["0,1"]);
    expect(await shares(undefined, 1)).toEqual([undefined]);
    expect(await shares(undefined, 0.4)).toEqual([undefined, undefined]);
  });

  test("lets trials wait until a share is given back", async () => {
    const pool = createGpuPool(["7"], 1);
    const first = await pool.take();
    const order: string[] = [];
    const second = pool.take().then((share) => order.push(`second ${share}`));
    await Promise.resolve();
    expect(order).toEqual([]);
    pool.give(first);
    await second;
    expect(order).toEqual(["second 7"]);
  });

  test("that no trial can use is refused", async () => {
    expect(await errorOf(() => createGpuPool(["0"], 2))).toMatch(/^config .*cannot have 2 GPUs: there are 1/);
    expect(await errorOf(() => createGpuPool([], 1))).toMatch("there are 0");
    expect(await errorOf(() => createGpuPool(undefined, 2))).toMatch("default adapter");
  });
});

describe("a schedule", () => {
  const registry = createRegistry([
    engine({ name: "cpu" }),
    engine({ name: "cuda", gpu: "visible" }),
    engine({ name: "vulkan", gpu: "adapter" }),
  ]);
  const { config, parameters } = trialSpec(0);
  const on = (...names: string[]) =>
    names.map((name) => ({ config: { ...config, engine: { name, options: {} } }, parameters }));
  const plan = (trials: ReturnType<typeof on>, wishes: Wishes = {}, gpus = ["0", "1"]) =>
    planSchedule(trials, wishes, registry, { cores: 16, availableBytes: 1e12, gpus });

  test("runs one trial per GPU, or as many as share one", () => {
    expect(plan(on("cuda", "cuda", "cuda", "cuda")).jobs).toBe(2);
    expect(plan(on("cuda", "cuda", "cuda", "cuda"), { gpusPerTrial: 0.5 }).jobs).toBe(4);
    expect(plan(on("cuda", "cuda"), { gpusPerTrial: 2 }).jobs).toBe(1);
    expect(plan(on("vulkan", "vulkan", "vulkan")).jobs).toBe(1);
    expect(plan(on("vulkan", "vulkan", "vulkan"), { gpusPerTrial: 0.5 }).jobs).toBe(2);
    const { jobs, notes } = plan(on("cuda", "cuda", "cuda"), { jobs: 3 });
    expect(jobs).toBe(2);
    expect(notes).toEqual([expect.stringMatching(/^2 at a time, not --jobs 3: so many have a GPU/)]);
  });

  test("lets trials without a GPU run beside", () => {
    const mixed = plan(on("cpu", "cpu", "cpu", "cuda"));
    expect(mixed.jobs).toBe(4);
    const [cpu, , , cuda] = on("cpu", "cpu", "cpu", "cuda");
    expect(cpu && mixed.gpusFor?.(cpu)).toBeUndefined();
    expect(cuda && mixed.gpusFor?.(cuda)?.size).toBe(2);
  });

  test("refuses GPUs for engines that use none", async () => {
    expect(await errorOf(() => plan(on("cpu"), { gpusPerTrial: 1 }))).toMatch(/^config .*engine cpu uses no GPU/);
  });
});
