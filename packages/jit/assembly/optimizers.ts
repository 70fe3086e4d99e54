// AssemblyScript, compiled to WebAssembly SIMD by `pnpm build:wasm`: updates of optimisers in one pass over memory, in
// place. Every operation is rounded to float32, in the order of the formulas in src/host-kernels.
// All arrays are 16-byte aligned, and padded to a multiple of four elements: what lies behind the last one is garbage.

/**
 * Adam over `count` elements; m and v are the moments.
 *
 * @param scale multiplies the gradient first (clipping)
 * @param decay is multiplied by the weights and added to the gradient
 * @param shrink multiplies the weights
 * @param rate lr / (1 − β₁ᵗ)
 * @param root 1 / √(1 − β₂ᵗ)
 */
export function adam(
  weights: usize,
  gradients: usize,
  m: usize,
  v: usize,
  count: u32,
  scale: f32,
  decay: f32,
  shrink: f32,
  beta1: f32,
  rest1: f32,
  beta2: f32,
  rest2: f32,
  rate: f32,
  root: f32,
  epsilon: f32,
): void {
  const scales = f32x4.splat(scale);
  const decays = f32x4.splat(decay);
  const shrinks = f32x4.splat(shrink);
  const betas1 = f32x4.splat(beta1);
  const rests1 = f32x4.splat(rest1);
  const betas2 = f32x4.splat(beta2);
  const rests2 = f32x4.splat(rest2);
  const rates = f32x4.splat(rate);
  const roots = f32x4.splat(root);
  const epsilons = f32x4.splat(epsilon);
  const bytes: usize = usize(count) * 4;
  for (let i: usize = 0; i < bytes; i += 16) {
    const w = v128.load(weights + i);
    const g = f32x4.add(f32x4.mul(v128.load(gradients + i), scales), f32x4.mul(w, decays));
    const mean = f32x4.add(f32x4.mul(v128.load(m + i), betas1), f32x4.mul(g, rests1));
    const square = f32x4.add(f32x4.mul(v128.load(v + i), betas2), f32x4.mul(f32x4.mul(g, g), rests2));
    const spread = f32x4.add(f32x4.mul(f32x4.sqrt(square), roots), epsilons);
    v128.store(m + i, mean);
    v128.store(v + i, square);
    v128.store(weights + i, f32x4.sub(f32x4.mul(w, shrinks), f32x4.mul(f32x4.div(mean, spread), rates)));
  }
}

/** Stochastic gradient descent with momentum; `scale` and `decay` as above. */
export function sgd(
  weights: usize,
  gradients: usize,
  velocity: usize,
  count: u32,
  scale: f32,
  decay: f32,
  momentum: f32,
  rate: f32,
): void {
  const scales = f32x4.splat(scale);
  const decays = f32x4.splat(decay);
  const momenta = f32x4.splat(momentum);
  const rates = f32x4.splat(rate);
  const bytes: usize = usize(count) * 4;
  for (let i: usize = 0; i < bytes; i += 16) {
    const w = v128.load(weights + i);
    const g = f32x4.add(f32x4.mul(v128.load(gradients + i), scales), f32x4.mul(w, decays));
    const speed = f32x4.add(f32x4.mul(v128.load(velocity + i), momenta), g);
    v128.store(velocity + i, speed);
    v128.store(weights + i, f32x4.sub(w, f32x4.mul(speed, rates)));
  }
}
