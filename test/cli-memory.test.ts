// Trials that really run out of memory, and what the command makes of it.
import { existsSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { createWorkplace, STUDY, trialsOf } from "./support/cli.ts";

const TIMEOUT_MS = 180_000;

/** A sum that holds as much memory as its option says, where it trains: in plain objects, in buffers, or one too large. */
const HUNGRY = `
import { definePlugin } from "@merclab/core";
import { addN } from "@tensorflow/tfjs-core";
import { z } from "zod";
const held = [];
const MEGABYTE = 2 ** 20;
const eat = {
  nothing: () => undefined,
  objects: () => { while (held.length < 250 * 2 ** 13) held.push({ a: held.length + 0.5, b: [held.length] }); },
  buffers: () => { while (held.length < 1500) held.push(Buffer.alloc(MEGABYTE, 1)); },
  array: () => held.push(new ArrayBuffer(2 ** 43)),
};
export default definePlugin({
  kind: "fusion",
  name: "hungry",
  summary: "Holds memory",
  options: z.strictObject({ eats: z.enum(Object.keys(eat)).default("nothing") }),
  create: ({ eats }, { modalities, dim }) => ({
    dim,
    gives: new Set(),
    parameters: [],
    apply: (_parameters, streams) => {
      if (process.argv.includes("work")) eat[eats]();
      return { fused: addN(modalities.map((each) => streams[each])) };
    },
  }),
});
`;

const place = createWorkplace();
afterAll(() => place.remove());
place.write({
  "merclab.yaml": "plugins: [./hungry.mjs]\n",
  "hungry.mjs": HUNGRY,
  "experiments/tiny.yaml": STUDY.replace("fusion: [sdt, lmam]", "fusion: [hungry]").replace("seeds: 2", "seeds: 1"),
});
const statusOf = (id: string) =>
  JSON.parse(readFileSync(join(place.folder, "runs/tiny/trials", id, "status.json"), "utf8")) as Record<
    string,
    unknown
  >;

test(
  "a trial that exhausts the JavaScript heap is trained again alone with a larger one, and done",
  async () => {
    const { code, stderr } = await place.expWith(
      { NODE_OPTIONS: "--max-old-space-size=220" },
      ...["run", "tiny", "fusion.eats=nothing,objects", "--jobs", "2"],
    );
    expect(stderr).toMatch(
      /· folder {2}hungry {2}eats objects {2}seed 0 {2}out of memory: the trial needs more JavaScript heap.*; it runs again later, with no other trial beside it/,
    );
    expect(code, stderr).toBe(0);
  },
  TIMEOUT_MS,
);

test(
  "an array that cannot be had fails twice, the second time alone",
  async () => {
    const { code, stderr } = await place.exp("run", "tiny", "fusion.eats=array");
    expect(code).toBe(1);
    expect(stderr).toMatch(/· .*Array buffer allocation failed; it runs again later/);
    expect(stderr).toMatch(/✗ .*Array buffer allocation failed\n.*→ Try a smaller --jobs/);
    const failed = trialsOf(place.folder).filter(({ isDone }) => !isDone);
    expect(failed.map(({ id }) => statusOf(id))).toEqual([expect.objectContaining({ cause: "memory", attempt: 2 })]);
  },
  TIMEOUT_MS,
);

const GROUPS = [
  { root: "/sys/fs/cgroup/memory", limit: "memory.limit_in_bytes" },
  { root: "/sys/fs/cgroup", limit: "memory.max" },
];

/** A control group that may hold so much memory; undefined where this process may not make one. */
function limitedGroup(bytes: number): string | undefined {
  for (const { root, limit } of GROUPS) {
    try {
      const folder = mkdtempSync(join(root, "merclab-test-"));
      if (existsSync(join(folder, limit))) {
        writeFileSync(join(folder, limit), String(bytes));
        return folder;
      }
      rmdirSync(folder);
    } catch {
      // Not ours to make.
    }
  }
  return undefined;
}

const canLimit = (() => {
  const group = limitedGroup(2 ** 30);
  if (group !== undefined) {
    rmdirSync(group);
  }
  return group !== undefined;
})();

test.skipIf(!canLimit)(
  "a trial that the system kills for want of memory runs once more alone, and fails with what to do (needs a control group)",
  async () => {
    const group = limitedGroup(1100 * 2 ** 20) as string;
    onTestFinished(() => rmdirSync(group));
    const { child, ended } = place.start("run", "tiny", "fusion.eats=nothing,buffers", "--jobs", "1");
    writeFileSync(join(group, "cgroup.procs"), String(child.pid));
    const { code, stderr } = await ended;
    expect(stderr).toMatch(/· .*eats buffers .*out of memory: the system ended it; it runs again later/);
    expect(stderr).toMatch(/✗ .*eats buffers .*out of memory: the system ended it\n.*→ Try a smaller --jobs/);
    expect(code).toBe(1);
    expect(stderr).toMatch("1 of 2 trials failed; the others are stored.");
  },
  TIMEOUT_MS,
);
