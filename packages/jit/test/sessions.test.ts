import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HOST_BACKEND, hostBackend, jit, releaseIdleSessions } from "../src/index.ts";

let folder: string;

beforeEach(async () => {
  hostBackend();
  await tf.setBackend(HOST_BACKEND);
  folder = await mkdtemp(join(tmpdir(), "tfjs-jit-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const fn = (x: tf.Tensor2D) => tf.softmax(tf.mul(tf.add(tf.matMul(x, x), 1), 2));

/** Compiles, runs once, and says where the graph came from. */
async function once(cacheFolder: string, threads = 1): Promise<{ by: string | undefined; values: number[] }> {
  const jitted = jit(fn, { cacheFolder, threads });
  const values = [...(await jitted(tf.tensor2d([1, 2, 3, 4], [2, 2]))).dataSync()];
  const by = (await jitted.explain())[0]?.compiledBy;
  await jitted.dispose();
  return { by, values };
}

describe("optimised graphs", () => {
  it("are made once, then read from the folder, with the same bits", async () => {
    const first = await once(folder);
    expect(first.by).toBe("runtime");
    expect(await readdir(folder)).toHaveLength(1);
    expect(await once(folder)).toEqual({ by: "disk", values: first.values });
    expect((await once(folder, 2)).by).toBe("runtime"); // another number of threads is another key
  });

  it("that are damaged are made again", async () => {
    const { values } = await once(folder);
    const [name] = await readdir(folder);
    const file = join(folder, name as string);
    const content = await readFile(file);
    const flipped = Buffer.from(content);
    flipped[content.length >> 1] = (flipped[content.length >> 1] ?? 0) ^ 1;
    for (const damaged of [
      content.subarray(0, content.length >> 1),
      Buffer.alloc(0),
      flipped,
      Buffer.from("no graph"),
    ]) {
      await writeFile(file, damaged);
      expect(await once(folder)).toEqual({ by: "runtime", values });
      expect((await once(folder)).by).toBe("disk");
    }
  });

  it("may be written by many at a time", async () => {
    const results = await Promise.all(Array.from({ length: 8 }, () => once(folder)));
    expect(new Set(results.map(({ values }) => values.join())).size).toBe(1);
    expect(await readdir(folder)).toHaveLength(1);
    expect((await once(folder)).by).toBe("disk");
  });

  it("are not kept where nothing can be written, and nobody notices", async () => {
    const file = join(folder, "a file");
    await writeFile(file, "");
    expect((await once(join(file, "no folder"))).by).toBe("runtime");
    expect(await readdir(folder)).toEqual(["a file"]);
  });

  it("are shared in memory by functions that are traced to the same graph", async () => {
    const [a, b] = [jit(fn, { threads: 1 }), jit((x: tf.Tensor2D) => fn(x), { threads: 1 })];
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const values = [...(await a(x)).dataSync()];
    expect([...(await b(x)).dataSync()]).toEqual(values);
    expect((await b.explain())[0]?.compiledBy).toBe("memory");
    await a.dispose();
    expect([...(await b(x)).dataSync()]).toEqual(values);
    await b.dispose();
  });

  it("stay for later functions where that was asked for, the last ones used, until they are freed", async () => {
    const compiled = async (size: number, keepIdle: number) => {
      const jitted = jit(fn, { threads: 1, keepIdle });
      (await jitted(tf.ones([size, size]))).dispose();
      const by = (await jitted.explain())[0]?.compiledBy;
      await jitted.dispose();
      return by;
    };
    expect(await compiled(3, 1)).toBe("runtime");
    expect(await compiled(3, 1)).toBe("memory");
    expect(await compiled(4, 1)).toBe("runtime"); // and 3 is not kept any more
    expect(await compiled(3, 2)).toBe("runtime");
    expect(await compiled(4, 2)).toBe("memory");
    await releaseIdleSessions();
    expect(await compiled(4, 0)).toBe("runtime");
    expect(await compiled(4, 0)).toBe("runtime");
  });
});
