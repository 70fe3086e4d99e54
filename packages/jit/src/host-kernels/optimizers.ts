// Updates of optimisers in one pass over memory, in place where the state is donated. A training step calls them by
// tfjs's `engine().runKernel` while it is traced:
//
// AdamStep(weights w, gradient g, m, v, scale, shrink, rate, root), attributes beta1, beta2, epsilon, decay:
//   g' = g·scale + w·decay,  m' = β₁m + (1 − β₁)g',  v' = β₂v + (1 − β₂)g'²,  w' = w·shrink − rate·m' / (√v'·root + ε)
//   With rate = lr / (1 − β₁ᵗ) and root = 1 / √(1 − β₂ᵗ) this is Adam (Kingma and Ba 2015) with `decay` coupled into
//   the gradient, or AdamW (Loshchilov and Hutter 2019) with shrink = 1 − lr·λ. Results: w', m', v'.
// SgdStep(weights w, gradient g, velocity u, scale, rate), attributes momentum, decay:
//   g' = g·scale + w·decay,  u' = momentum·u + g',  w' = w − rate·u'. Results: w', u'.
//
// scale (for clipping), shrink, rate and root are scalars. Every operation is rounded to float32, in this order.
import type { GraphBuilder } from "../graph/builder.ts";
import { sameShape, type Value } from "../graph/value.ts";
import type { HostElements } from "../host-value.ts";
import type { HostAttributes, HostKernel, HostOutput } from "./host-kernel.ts";
import { BINARY } from "./optimizers.wasm.ts";

type Kernels = Readonly<Record<"adam" | "sgd", (...operands: number[]) => void>>;

const module = new WebAssembly.Module(Buffer.from(BINARY, "base64"));
const compiled = new WeakMap<WebAssembly.Memory, Kernels>();

function kernelsOn(memory: WebAssembly.Memory): Kernels {
  const known = compiled.get(memory);
  if (known !== undefined) {
    return known;
  }
  const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
  compiled.set(memory, kernels);
  return kernels;
}

const f = Math.fround;

export const adamStep: HostKernel = {
  inputs: ["weights", "gradient", "m", "v", "scale", "shrink", "rate", "root"],
  outputs: (inputs, attributes) => {
    numbers(attributes, "beta1", "beta2", "epsilon", "decay");
    return sameAs(inputs, 4, [0, 2, 3]);
  },
  nodes: (graph, inputs, attributes) => {
    const [weights, gradient, m, v, scale, shrink, rate, root] = inputs as Eight;
    const [beta1, beta2, epsilon, decay] = numbers(attributes, "beta1", "beta2", "epsilon", "decay") as Four;
    const { add, mul, div, sub, times } = arithmetic(graph);
    const g = decayed(graph, mul(gradient, scale), weights, decay);
    const mean = add(times(m, beta1), times(g, 1 - beta1));
    const square = add(times(v, beta2), times(mul(g, g), 1 - beta2));
    const spread = add(mul(graph.elementwise("Sqrt", [square]), root), graph.scalar(epsilon));
    return [sub(mul(weights, shrink), mul(div(mean, spread), rate)), mean, square];
  },
  run: ({ inputs, outputs, attributes, memory }) => {
    const [, gradient] = inputs as [HostElements, HostElements];
    const [weights, m, v] = outputs as [HostElements, HostElements, HostElements];
    const [scale, shrink, rate, root] = inputs.slice(4).map((each) => each[0] ?? Number.NaN) as Four;
    const [beta1, beta2, epsilon, decay] = numbers(attributes, "beta1", "beta2", "epsilon", "decay") as Four;
    if (memory !== undefined) {
      const arrays = [weights, gradient, m, v].map(({ byteOffset }) => byteOffset);
      const betas = [beta1, 1 - beta1, beta2, 1 - beta2];
      kernelsOn(memory).adam(...arrays, weights.length, scale, decay, shrink, ...betas, rate, root, epsilon);
      return;
    }
    const [b1, r1, b2, r2] = [f(beta1), f(1 - beta1), f(beta2), f(1 - beta2)];
    const [d, e] = [f(decay), f(epsilon)];
    for (let i = 0; i < weights.length; i++) {
      const w = weights[i] ?? 0;
      const g = f(f((gradient[i] ?? 0) * scale) + f(w * d));
      const mean = f(f((m[i] ?? 0) * b1) + f(g * r1));
      const square = f(f((v[i] ?? 0) * b2) + f(f(g * g) * r2));
      const spread = f(f(f(Math.sqrt(square)) * root) + e);
      m[i] = mean;
      v[i] = square;
      weights[i] = f(f(w * shrink) - f(f(mean / spread) * rate));
    }
  },
};

export const sgdStep: HostKernel = {
  inputs: ["weights", "gradient", "velocity", "scale", "rate"],
  outputs: (inputs, attributes) => {
    numbers(attributes, "momentum", "decay");
    return sameAs(inputs, 3, [0, 2]);
  },
  nodes: (graph, inputs, attributes) => {
    const [weights, gradient, velocity, scale, rate] = inputs as [Value, Value, Value, Value, Value];
    const [momentum, decay] = numbers(attributes, "momentum", "decay") as [number, number];
    const { add, mul, sub, times } = arithmetic(graph);
    const speed = add(times(velocity, momentum), decayed(graph, mul(gradient, scale), weights, decay));
    return [sub(weights, mul(speed, rate)), speed];
  },
  run: ({ inputs, outputs, attributes, memory }) => {
    const [, gradient] = inputs as [HostElements, HostElements];
    const [weights, velocity] = outputs as [HostElements, HostElements];
    const [scale, rate] = inputs.slice(3).map((each) => each[0] ?? Number.NaN) as [number, number];
    const [momentum, decay] = numbers(attributes, "momentum", "decay") as [number, number];
    if (memory !== undefined) {
      const arrays = [weights, gradient, velocity].map(({ byteOffset }) => byteOffset);
      kernelsOn(memory).sgd(...arrays, weights.length, scale, decay, momentum, rate);
      return;
    }
    const [mu, d] = [f(momentum), f(decay)];
    for (let i = 0; i < weights.length; i++) {
      const w = weights[i] ?? 0;
      const g = f(f((gradient[i] ?? 0) * scale) + f(w * d));
      const speed = f(f((velocity[i] ?? 0) * mu) + g);
      velocity[i] = speed;
      weights[i] = f(w - f(speed * rate));
    }
  },
};

type Four = [number, number, number, number];
type Eight = [Value, Value, Value, Value, Value, Value, Value, Value];

function arithmetic(graph: GraphBuilder) {
  const op = (name: string) => (a: Value, b: Value) => graph.elementwise(name, [a, b]);
  const mul = op("Mul");
  return {
    add: op("Add"),
    sub: op("Sub"),
    mul,
    div: op("Div"),
    times: (a: Value, factor: number) => mul(a, graph.scalar(factor)),
  };
}

function decayed(graph: GraphBuilder, gradient: Value, weights: Value, decay: number): Value {
  const { add, times } = arithmetic(graph);
  return decay === 0 ? gradient : add(gradient, times(weights, decay));
}

/** Checks that the first `count` operands are float32 of one shape and the rest scalars. */
function sameAs(inputs: readonly Value[], count: number, of: readonly number[]): HostOutput[] {
  const [weights] = inputs as [Value];
  inputs.forEach(({ dtype, shape }, i) => {
    if (dtype !== "float32" || !sameShape(shape, i < count ? weights.shape : [])) {
      throw new RangeError(
        `expected ${count} float32 arrays of one shape, then scalars, got ${dtype}[${shape.join(", ")}] as number ${i}`,
      );
    }
  });
  return of.map((at) => ({ dtype: "float32" as const, shape: weights.shape, of: at }));
}

function numbers(attributes: HostAttributes, ...names: readonly string[]): number[] {
  return names.map((name) => {
    const value = attributes[name];
    if (typeof value !== "number") {
      throw new RangeError(`expected a number as attribute ${name}, got ${String(value)}`);
    }
    return value;
  });
}
