// What jit promises around the rules: trees, caching, donation, host values, errors with the user's line, memory.
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  fromHost,
  HOST_BACKEND,
  type HostValue,
  hostBackend,
  hostValue,
  JitError,
  type Jitted,
  jit,
} from "../src/index.ts";
import "./support.ts";

const made: Jitted<never, unknown>[] = [];

/** jit whose result is disposed with the test. */
const compiled: typeof jit = (fn, options) => {
  const result = jit(fn, { threads: 1, ...options });
  made.push(result as never);
  return result;
};

beforeAll(async () => {
  hostBackend();
  await tf.setBackend(HOST_BACKEND);
});

afterEach(async () => {
  await Promise.all(made.splice(0).map((each) => each.dispose()));
});

const numbers = (x: tf.Tensor): number[] => [...x.dataSync()];

describe("trees", () => {
  it("go in and out, with constants and shared tensors", async () => {
    const fn = compiled((state: { w: tf.Tensor; steps: number }, list: readonly tf.Tensor[], on: boolean) => ({
      w: tf.add(state.w, on ? (list[0] as tf.Tensor) : (list[1] as tf.Tensor)),
      list: [tf.mul(state.w, state.steps), state.w],
      name: "kept",
    }));
    const w = tf.tensor1d([1, 2]);
    const list = [tf.tensor1d([10, 20]), tf.tensor1d([100, 200])];
    const first = await fn({ w, steps: 3 }, list, true);
    expect([numbers(first.w), numbers(first.list[0] as tf.Tensor), first.name]).toEqual([[11, 22], [3, 6], "kept"]);
    expect(first.list[1]).toBe(w); // what comes out as it went in is the very tensor
    expect(numbers((await fn({ w, steps: 3 }, list, false)).w)).toEqual([101, 202]);
    expect(await fn.explain()).toHaveLength(2); // a constant is part of the graph
    expect(numbers((await fn({ w, steps: 3 }, [w, w], true)).w)).toEqual([2, 4]);
  });

  it("compile once per set of shapes and dtypes, keep the last ones used", async () => {
    let traces = 0;
    const fn = compiled(
      (x: tf.Tensor) => {
        traces += 1;
        return tf.square(x);
      },
      { maxGraphs: 2 },
    );
    for (const length of [1, 2, 1, 2, 3, 2, 1]) {
      expect(numbers(await fn(tf.fill([length], 3)))).toEqual(new Array(length).fill(9));
    }
    expect(traces).toBe(4);
    expect((await fn.explain()).map(({ signature }) => signature)).toEqual(["float32[2]", "float32[1]"]);
  });

  it("give results that are arguments' clones, constants, or one value twice", async () => {
    const fn = compiled((x: tf.Tensor) => {
      const y = tf.neg(x);
      return [tf.clone(x), tf.scalar(4), y, tf.clone(y), tf.zeros([2])];
    });
    const x = tf.tensor1d([1, 2]);
    const results = await fn(x);
    expect(results.map(numbers)).toEqual([[1, 2], [4], [-1, -2], [-1, -2], [0, 0]]);
    expect(results[0]).not.toBe(x);
    results[2]?.dispose();
    expect(numbers(results[3] as tf.Tensor)).toEqual([-1, -2]);
  });

  it.each([
    ["a function", () => 1, /arguments\[0\].*function/],
    ["a class", new Map(), /arguments\[0\].*Map/],
    ["strings", tf.tensor1d(["a"]), /string\[1\]/],
  ])("refuse %s", async (_what, argument, message) => {
    await expect(compiled((x: unknown) => x)(argument)).rejects.toThrow(message);
  });

  it("run concurrently", async () => {
    const fn = compiled((x: tf.Tensor) => tf.mul(x, 2));
    const results = await Promise.all([1, 2, 3].map((value) => fn(tf.fill([2], value))));
    expect(results.map(numbers)).toEqual([
      [2, 2],
      [4, 4],
      [6, 6],
    ]);
  });
});

describe("gradients", () => {
  it("come from tfjs's tape, through tidy and customGrad", async () => {
    const straight = tf.customGrad((x) => ({ value: tf.round(x as tf.Tensor), gradFunc: (dy) => tf.mul(dy, 2) }));
    const fn = compiled((x: tf.Tensor) => {
      const loss = () => tf.tidy(() => tf.sum(tf.square(straight(x)))) as tf.Scalar;
      return tf.engine().gradients(loss, [x]).grads[0] as tf.Tensor;
    });
    expect(numbers(await fn(tf.tensor1d([1.2, -2.6])))).toEqual([4, -12]);
  });
});

describe("host values", () => {
  const noisy = (x: tf.Tensor, seed: HostValue<number>) =>
    tf.add(
      x,
      fromHost(seed, x.shape, "float32", (value, out) => out.set([value, value + 1])),
    );

  it("are asked again on every run, with one graph", async () => {
    const fn = compiled(noisy);
    const x = tf.tensor1d([0, 0]);
    expect(numbers(await fn(x, hostValue(5)))).toEqual([5, 6]);
    expect(numbers(await fn(x, hostValue(7)))).toEqual([7, 8]);
    expect(await fn.explain()).toHaveLength(1);
    expect(numbers(noisy(x, hostValue(9)))).toEqual([9, 10]); // the same function, eagerly
  });
});

describe("errors", () => {
  const ownLine = /jit\.test\.ts:\d+:\d+/;

  it.each([
    ["dataSync", (x: tf.Tensor) => x.dataSync()],
    ["a branch", (x: tf.Tensor) => ((x.dataSync()[0] ?? 0) > 0 ? x : tf.neg(x))],
  ])("name the line that reads a value by %s", async (_how, fn) => {
    const error = await compiled(fn as (x: tf.Tensor) => unknown)(tf.scalar(1)).catch((each: unknown) => each);
    expect(error).toBeInstanceOf(JitError);
    expect(error).toMatchObject({ code: "read", where: expect.stringMatching(ownLine) });
  });

  it("name kernel, shapes and line where there is no rule", async () => {
    const fn = compiled((x: tf.Tensor) => tf.unique(x).values);
    await expect(fn(tf.tensor1d([1, 2, 2]))).rejects.toThrow(
      /kernel Unique\(x float32\[3\].*its result depends on values.* \(at .*jit\.test\.ts:\d+:\d+\)/,
    );
  });

  it("name what a rule does not take", async () => {
    const fn = compiled((x: tf.Tensor) => tf.softplus(x));
    await expect(fn(tf.tensor1d([1, 2], "int32"))).rejects.toThrow(
      /Softplus\(x int32\[2\].*expected float32, got int32/,
    );
  });

  it("refuse variables from outside, which may change, and compiled functions inside", async () => {
    const variable = tf.variable(tf.scalar(1), true, "gain");
    await expect(compiled((x: tf.Tensor) => tf.mul(x, variable))(tf.scalar(1))).rejects.toThrow(/variable "gain"/);
    variable.dispose();
    const inner = compiled((x: tf.Tensor) => x);
    let reason: unknown;
    await compiled((x: tf.Tensor) => {
      inner(x).catch((error: unknown) => {
        reason = error;
      });
      return x;
    })(tf.scalar(1));
    await new Promise((resolve) => setImmediate(resolve));
    expect(reason).toMatchObject({ code: "nested" });
  });

  it("leave the backend and tfjs's count of tensors as they were", async () => {
    const x = tf.scalar(1);
    const before = tf.memory().numTensors;
    await compiled((y: tf.Tensor) => tf.neg(y).dataSync())(x).catch(() => {});
    expect([tf.getBackend(), tf.memory().numTensors]).toEqual([HOST_BACKEND, before]);
  });

  it("refuse a call after dispose", async () => {
    const fn = compiled((x: tf.Tensor) => tf.neg(x));
    await fn(tf.scalar(1));
    await fn.dispose();
    await expect(fn(tf.scalar(1))).rejects.toMatchObject({ code: "disposed" });
  });
});

describe("constants from outside", () => {
  it("are taken as they are when the function is traced, and counted", async () => {
    const outside = tf.tensor1d([1, 2, 3]);
    const fn = compiled((x: tf.Tensor) => tf.mul(x, outside));
    const first = await fn(tf.tensor1d([2, 2, 2]));
    outside.dispose();
    expect(numbers(first)).toEqual([2, 4, 6]);
    expect(numbers(await fn(tf.tensor1d([3, 3, 3])))).toEqual([3, 6, 9]);
    expect((await fn.explain())[0]?.capturedBytes).toBe(12);
  });
});

describe("memory", () => {
  const step = (state: { w: tf.Tensor; m: tf.Tensor }, x: tf.Tensor) => {
    const loss = () => tf.mean(tf.square(tf.sub(tf.matMul(x as tf.Tensor2D, state.w as tf.Tensor2D), 1))) as tf.Scalar;
    const { value, grads } = tf.engine().gradients(loss, [state.w]);
    const m = tf.add(tf.mul(state.m, 0.9), grads[0] as tf.Tensor);
    return { state: { w: tf.sub(state.w, tf.mul(m, 0.05)), m }, loss: value };
  };

  it("is flat over 1,000 donated steps, and given back after dispose", async () => {
    const before = tf.memory().numTensors;
    const usedBefore = hostBackend().store.usedBytes; // by results of other tests
    const fn = jit(step, { donate: [0], threads: 1 });
    const x = tf.tensor2d(
      Float32Array.from({ length: 32 * 128 }, (_, i) => Math.sin(i * i)),
      [32, 128],
    );
    let state = { w: tf.zeros([128, 128]) as tf.Tensor, m: tf.zeros([128, 128]) as tf.Tensor };
    const losses: number[] = [];
    const tensors = new Set<number>();
    const used = new Set<number>();
    const resident: number[] = [];
    for (let i = 0; i < 1000; i++) {
      const result = await fn(state, x);
      losses.push(numbers(result.loss)[0] ?? Number.NaN);
      result.loss.dispose();
      state = result.state;
      if (i >= 2) {
        tensors.add(tf.memory().numTensors);
        used.add(hostBackend().store.usedBytes - usedBefore);
      }
      if (i % 100 === 99) {
        resident.push(process.memoryUsage().rss);
      }
    }
    expect(losses.at(-1)).toBeLessThan(0.5 * (losses[0] ?? 0));
    expect(tensors.size).toBe(1);
    expect(used).toEqual(new Set([2 * 128 * 128 * 4])); // the state
    // 800 steps that kept the state's 128 KiB would add 100 MiB.
    expect((resident.at(-1) ?? 0) - (resident[1] ?? 0)).toBeLessThan(40 * 2 ** 20);
    tf.dispose([state.w, state.m, x]);
    await fn.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(hostBackend().store.usedBytes).toBe(usedBefore);
  });

  it("is not taken for copies of results", async () => {
    const doubled = compiled((x: tf.Tensor) => tf.add(x, x), { donate: [0] });
    let x = tf.zeros([1 << 22]);
    for (let run = 0; run < 3; run++) {
      x = await doubled(x);
    }
    const grown: number[] = [];
    for (let run = 0; run < 5; run++) {
      const before = process.memoryUsage().arrayBuffers;
      x = await doubled(x);
      grown.push(process.memoryUsage().arrayBuffers - before);
    }
    expect(Math.max(...grown)).toBeLessThan(1 << 22); // a copy has four times that
    x.dispose();
  });

  it("of a clone, a view or a read stays as it is when a donated state's memory is used again", async () => {
    const fn = compiled((w: tf.Tensor) => tf.add(w, 1), { donate: [0] });
    let w: tf.Tensor = await fn(tf.zeros([4]));
    const clone = w.clone();
    const view = tf.slice1d(w as tf.Tensor1D, 1, 2);
    const read = w.dataSync();
    for (let i = 0; i < 4; i++) {
      w = await fn(w);
    }
    expect([numbers(w), numbers(clone), numbers(view), [...read]]).toEqual([
      [5, 5, 5, 5],
      [1, 1, 1, 1],
      [1, 1],
      [1, 1, 1, 1],
    ]);
  });

  it("of a donated tensor that comes out again is not freed", async () => {
    const fn = compiled((state: { frozen: tf.Tensor; w: tf.Tensor }) => ({ ...state, w: tf.neg(state.w) }), {
      donate: [0],
    });
    const frozen = tf.tensor1d([3]);
    const w = tf.tensor1d([1]);
    const next = await fn({ frozen, w });
    expect(next.frozen).toBe(frozen);
    expect([frozen.isDisposed, w.isDisposed]).toEqual([false, true]);
  });
});

describe("graphs", () => {
  it("drop dead nodes, share equal ones, and read what is repeated by broadcasting once", async () => {
    const fn = compiled((x: tf.Tensor, column: tf.Tensor) => {
      tf.exp(x); // nobody uses it
      const repeated = tf.mul(column, tf.ones([3, 4]));
      return tf.add(tf.add(tf.mul(x, repeated), tf.mul(x, repeated)), tf.mul(tf.scalar(2), 3));
    });
    const [x, column] = [tf.ones([3, 4]), tf.tensor2d([[1], [2], [3]])];
    expect(numbers(await fn(x, column))).toEqual([8, 8, 8, 8, 10, 10, 10, 10, 12, 12, 12, 12]);
    expect((await fn.explain())[0]?.ops).toEqual({ Mul: 1, Add: 2 });
  });

  it("give the same bits when they are run again", async () => {
    const fn = compiled((x: tf.Tensor2D) => tf.softmax(tf.matMul(x, x, false, true)), { threads: 2 });
    const x = tf.tensor2d(
      Float32Array.from({ length: 60 * 50 }, (_, i) => Math.sin(i * i)),
      [60, 50],
    );
    const first = numbers(await fn(x));
    for (let i = 0; i < 5; i++) {
      expect(numbers(await fn(x))).toEqual(first);
    }
  });
});
