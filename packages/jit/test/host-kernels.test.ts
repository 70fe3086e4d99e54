import "@tensorflow/tfjs-layers";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HOST_KERNELS } from "../src/host-kernels/index.ts";
import { HOST_BACKEND, hostBackend, jit } from "../src/index.ts";

beforeAll(async () => {
  hostBackend();
  await tf.setBackend(HOST_BACKEND);
});

const finite = fc.float({ min: -100, max: 100, noNaN: true });
const positive = fc.float({ min: Math.fround(1e-6), max: 10, noNaN: true });

function run(name: string, operands: tf.NamedTensorMap, attributes: tf.NamedAttrMap): tf.Tensor[] {
  return tf.engine().runKernel(name, operands, attributes) as unknown as tf.Tensor[];
}

/** A step of Adam as a compiled function of its state, with a gradient that the graph computes. */
function adamStep(state: tf.Tensor[], input: tf.Tensor, scalars: tf.Tensor[]): tf.Tensor[] {
  const [weights, m, v] = state as [tf.Tensor, tf.Tensor, tf.Tensor];
  const [scale, shrink, rate, root] = scalars as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const gradient = tf.mul(input, 2);
  return run(
    "AdamStep",
    { weights, gradient, m, v, scale, shrink, rate, root },
    { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01 },
  );
}

describe("kernels after the graph", () => {
  it("give the same bits in WebAssembly and in plain TypeScript, for any length", () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    const array = (values: readonly number[], at: number) => {
      const view = new Float32Array(memory.buffer, 1024 + at * 4096, values.length);
      view.set(values);
      return view;
    };
    const row = fc.tuple(finite, finite, finite, positive);
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 70 }),
        fc.tuple(positive, positive, positive, positive),
        fc.constantFrom("AdamStep", "SgdStep"),
        (rows, [scale, shrink, rate, root], name) => {
          const columns = [0, 1, 2, 3].map((i) => rows.map((values) => values[i] as number));
          const scalars = (name === "AdamStep" ? [scale, shrink, rate, root] : [scale, rate]).map((value) =>
            Float32Array.of(value),
          );
          const used = name === "AdamStep" ? [0, 2, 3] : [0, 2];
          const attributes = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.3, momentum: 0.9 };
          const outcome = (arrays: Float32Array[], there?: WebAssembly.Memory) => {
            const outputs = used.map((i) => arrays[i] as Float32Array);
            const operands = name === "AdamStep" ? arrays : arrays.slice(0, 3);
            HOST_KERNELS.get(name)?.run({
              inputs: [...operands, ...scalars],
              outputs,
              attributes,
              ...(there === undefined ? {} : { memory: there }),
            });
            return outputs.map((output) => [...output]);
          };
          const apart = outcome(columns.map((column) => Float32Array.from(column)));
          const together = outcome(
            columns.map((column, i) => array(column, i)),
            memory,
          );
          expect(together).toEqual(apart);
        },
      ),
    );
  });

  it("write over donated state, and leave state alone that is not donated or that others hold", async () => {
    const scalars = [1, 1, 0.1, 1].map((value) => tf.scalar(value));
    const fresh = () => [tf.tensor1d([1, 2]), tf.zeros([2]), tf.zeros([2])] as tf.Tensor[];
    const input = tf.tensor1d([0.5, -1]);
    const pure = jit(adamStep, { threads: 1 });
    const donating = jit(adamStep, { threads: 1, donate: [0] });
    const initial = fresh();
    const once = await pure(initial, input, scalars);
    expect([...(initial[0] as tf.Tensor).dataSync()]).toEqual([1, 2]);
    const twice = await pure(once, input, scalars);
    const expected = twice.map((tensor) => [...tensor.dataSync()]);

    let state = await donating(fresh(), input, scalars);
    const held = (state[0] as tf.Tensor).clone();
    const before = [...held.dataSync()];
    state = await donating(state, input, scalars);
    expect(state.map((tensor) => [...tensor.dataSync()])).toEqual(expected);
    expect([...held.dataSync()]).toEqual(before);
    const used = hostBackend().store.usedBytes;
    state = await donating(state, input, scalars);
    expect(hostBackend().store.usedBytes).toBe(used);
    await Promise.all([pure.dispose(), donating.dispose()]);
  });

  it("may read one value twice, and what another one made", async () => {
    const fn = jit(
      (w: tf.Tensor, g: tf.Tensor) => {
        const [one, rate] = [tf.scalar(1), tf.scalar(0.5)];
        const operands = { weights: w, gradient: w, velocity: g, scale: one, rate };
        const [first, speed] = run("SgdStep", operands, { momentum: 0, decay: 0 }) as [tf.Tensor, tf.Tensor];
        const again = { weights: first, gradient: speed, velocity: speed, scale: one, rate };
        return [...run("SgdStep", again, { momentum: 1, decay: 0 }), first];
      },
      { threads: 1, donate: [0, 1] },
    );
    const results = await fn(tf.tensor1d([4, 8]), tf.tensor1d([1, 1]));
    expect(results.map((tensor) => [...tensor.dataSync()])).toEqual([
      [-2, -4],
      [8, 16],
      [2, 4],
    ]);
    await fn.dispose();
  });

  it("name the line where their result is used in the graph, or where operands do not fit", async () => {
    const used = jit((state: tf.Tensor[], x: tf.Tensor, s: tf.Tensor[]) =>
      tf.add(adamStep(state, x, s)[0] as tf.Tensor, 1),
    );
    const scalars = [1, 1, 0.1, 1].map((value) => tf.scalar(value));
    const state = [tf.ones([2]), tf.ones([2]), tf.ones([2])];
    await expect(used(state, tf.ones([2]), scalars)).rejects.toThrow(/after the graph.*host-kernels\.test\.ts:\d+/s);
    const misfit = jit(adamStep);
    await expect(misfit(state, tf.ones([3]), scalars)).rejects.toThrow(/AdamStep.*one shape/s);
    await expect(misfit(state, tf.ones([2]), [tf.ones([1]), ...scalars.slice(1)])).rejects.toThrow(/scalars/);
    const bare = jit((w: tf.Tensor, s: tf.Tensor) =>
      run("SgdStep", { weights: w, gradient: w, velocity: w, scale: s, rate: s }, {}),
    );
    await expect(bare(tf.ones([2]), tf.scalar(1))).rejects.toThrow(/attribute momentum/);
    await Promise.all([used, misfit, bare].map((fn) => fn.dispose()));
  });

  afterAll(() => tf.disposeVariables());
});
