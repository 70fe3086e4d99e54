import "@tensorflow/tfjs-layers";
import * as tf from "@tensorflow/tfjs-core";
import { HOST_BACKEND, hostBackend, jit } from "./src/index.ts";

hostBackend();
await tf.setBackend(HOST_BACKEND);
const r = (s: number[]) =>
  tf.tensor(
    Float32Array.from({ length: s.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * i)),
    s,
  ) as tf.Tensor2D;
async function bench(name: string, fn: (...a: any[]) => any, args: any[], gf: number) {
  const f = jit(fn, { threads: 2 });
  const best = 1e9;
  const ts: number[] = [];
  for (let i = 0; i < 25; i++) {
    const t = performance.now();
    const o = await f(...args);
    const d = performance.now() - t;
    tf.dispose(o);
    ts.push(d);
  }
  ts.sort((a, b) => a - b);
  console.log(name.padEnd(34), ts[3]!.toFixed(2), "ms", ((gf / ts[3]!) * 1e3).toFixed(0), "GF/s");
  await f.dispose();
}
for (const T of [775, 768, 832, 896]) {
  const x = r([T, 1024]),
    w = r([1024, 1024]),
    y = r([T, 1024]),
    xt = r([1024, T]);
  const g = (2 * T * 1024 * 1024) / 1e9;
  console.log("T", T);
  await bench("fwd x·Wᵀ", (a, b) => tf.matMul(a, b, false, true), [x, w], g);
  await bench("dX dY·W", (a, b) => tf.matMul(a, b), [y, w], g);
  await bench("dW dYᵀ·X gemm transA", (a, b) => tf.matMul(a, b, true, false), [y, x], g);
  await bench("dW matmul(transpose(dY),X)", (a, b) => tf.matMul(tf.transpose(a) as any, b), [y, x], g);
  await bench("pre-transposed", (a, b) => tf.matMul(a, b), [xt, x], g);
  await bench("3x fused fwd", (a, b) => tf.matMul(a, b, false, true), [x, r([3072, 1024])], 3 * g);
  await bench("3x dX", (a, b) => tf.matMul(a, b), [r([T, 3072]), r([3072, 1024])], 3 * g);
  await bench("3x dW", (a, b) => tf.matMul(a, b, true, false), [r([T, 3072]), x], 3 * g);
}
