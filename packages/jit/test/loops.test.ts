// Loops whose body is traced once.
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { fromHost, hostValue, jit } from "../src/index.ts";
import "./support.ts";

type Turn = (carry: tf.Tensor[], parts: tf.Tensor[]) => { carry: tf.Tensor[]; outputs: tf.Tensor[] };

function loop(start: tf.Tensor[], sequences: tf.Tensor[], reverse: boolean, turn: Turn): tf.Tensor[] {
  const named = (tensors: tf.Tensor[]) => Object.fromEntries(tensors.map((each, i) => [`${i}`, each]));
  const begun = run("LoopBegin", named([...start, ...sequences]), { carries: start.length, reverse });
  const { carry, outputs } = turn(begun.slice(0, start.length), begun.slice(start.length));
  return run("LoopEnd", named([...carry, ...outputs]), {});
}

const run = (name: string, inputs: tf.NamedTensorMap, attributes: tf.NamedAttrMap) =>
  tf.engine().runKernel(name, inputs, attributes) as unknown as tf.Tensor[];

/** Sums so far. */
const sums = (x: tf.Tensor, reverse = false) =>
  loop([tf.zeros([2])], [x], reverse, ([total], [part]) => {
    const next = tf.add(total as tf.Tensor, part as tf.Tensor);
    return { carry: [next], outputs: [next] };
  })[0] as tf.Tensor;

const X = [1, 10, 2, 20, 3, 30];

async function values(fn: (x: tf.Tensor) => tf.Tensor): Promise<number[]> {
  const compiled = jit(fn);
  const x = tf.tensor(X, [3, 2]);
  const result = await compiled(x);
  const found = [...result.dataSync()];
  tf.dispose([x, result]);
  await compiled.dispose();
  return found;
}

describe("loops", () => {
  it("carry from step to step, from either end", async () => {
    expect(await values((x) => sums(x))).toEqual([1, 10, 3, 30, 6, 60]);
    expect(await values((x) => sums(x, true))).toEqual([6, 60, 5, 50, 3, 30]);
  });

  it("give inputs, constants and values from outside as outputs, and the same twice", async () => {
    const all = await values((x) => {
      const outside = tf.mul(tf.slice(x, [0, 0], [1, 2]), 5);
      const turn: Turn = ([total], [part]) => ({
        carry: [part as tf.Tensor],
        outputs: [total, total, part, tf.tensor([7, 8]), tf.reshape(outside, [2])] as tf.Tensor[],
      });
      return tf.concat(loop([tf.zeros([2])], [x], false, turn), 1);
    });
    expect(all).toEqual([
      ...[0, 0, 0, 0, 1, 10, 7, 8, 5, 50],
      ...[1, 10, 1, 10, 2, 20, 7, 8, 5, 50],
      ...[2, 20, 2, 20, 3, 30, 7, 8, 5, 50],
    ]);
  });

  it("lie in bodies of others", async () => {
    // Σ over rows of the sums so far of twice the row
    const nested = (x: tf.Tensor) => {
      const [y] = loop([tf.zeros([2])], [x], false, ([total], [part]) => {
        const [inner] = loop([tf.scalar(0)], [tf.mul(part as tf.Tensor, 2)], false, ([sofar], [each]) => {
          const next = tf.add(sofar as tf.Tensor, each as tf.Tensor);
          return { carry: [next], outputs: [next] };
        });
        const next = tf.add(total as tf.Tensor, inner as tf.Tensor);
        return { carry: [next], outputs: [next] };
      });
      return y as tf.Tensor;
    };
    expect(await values(nested)).toEqual([2, 22, 6, 66, 12, 132]);
  });

  it("count the products of every step", async () => {
    const fn = jit((x: tf.Tensor, w: tf.Tensor) => {
      const [y] = loop([tf.zeros([1, 2])], [tf.expandDims(x, 1)], false, ([total], [part]) => {
        const next = tf.add(tf.matMul(total as tf.Tensor2D, w as tf.Tensor2D), part as tf.Tensor);
        return { carry: [next], outputs: [next] };
      });
      return y as tf.Tensor;
    });
    const [x, w] = [tf.tensor(X, [3, 2]), tf.tensor([0, 1, 1, 0], [2, 2])];
    const result = await fn(x, w);
    expect([...result.dataSync()]).toEqual([1, 10, 12, 21, 24, 42]);
    const [report] = await fn.explain();
    expect(report?.productFlops).toBe(3 * 2 * 2 * 2);
    expect(report?.ops.Scan).toBe(1);
    expect(report?.ops.MatMul).toBe(1);
    tf.dispose([x, w, result]);
    await fn.dispose();
  });

  it.each([
    ["carry 0 changes from [2] to [1, 2]", (x: tf.Tensor) => loopOf(x, (part) => tf.reshape(part, [1, 2]))],
    ["no loop was begun", (x: tf.Tensor) => run("LoopEnd", { 0: x }, {})[0] as tf.Tensor],
    [
      "one number of steps",
      (x: tf.Tensor) => run("LoopBegin", { 0: x, 1: tf.zeros([2]) }, { carries: 0, reverse: false })[0] as tf.Tensor,
    ],
  ])("are refused: %s", async (reason, fn) => {
    await expect(values(fn)).rejects.toMatchObject({
      code: "unsupported-kernel",
      message: expect.stringContaining(reason),
    });
  });

  it("do not draw in their bodies", async () => {
    const fn = jit((x: tf.Tensor, key: number) =>
      loopOf(x, (part) =>
        tf.add(
          part,
          fromHost(key as never, [2], "float32", (_, out) => out.fill(1)),
        ),
      ),
    );
    const x = tf.tensor(X, [3, 2]);
    await expect(fn(x, hostValue(1) as never)).rejects.toThrow("a host value belongs before or after a loop");
    x.dispose();
    await fn.dispose();
  });

  it("that were not ended are refused", async () => {
    const fn = (x: tf.Tensor) => run("LoopBegin", { 0: x }, { carries: 0, reverse: false })[0] as tf.Tensor;
    await expect(values(fn)).rejects.toThrow("a loop was begun and not ended");
  });
});

function loopOf(x: tf.Tensor, change: (part: tf.Tensor) => tf.Tensor): tf.Tensor {
  return loop([tf.zeros([2])], [x], false, (_, [part]) => {
    const next = change(part as tf.Tensor);
    return { carry: [next], outputs: [next] };
  })[0] as tf.Tensor;
}
