// How far WebGPU may be from tfjs's cpu backend where its functions are less exact than a processor's, by kernel. The
// bound counts where the kernel is part of what is compared, relative to the value, and absolute below 1. Vulkan grants
// sin and cos 2^-11 on [-π, π], and makes pow of exp2 and log2; others are as measured on SwiftShader.
const LESS_EXACT: Readonly<Record<string, number>> = {
  Acos: 5e-4,
  Acosh: 1e-4,
  Asin: 5e-4,
  Asinh: 1e-4,
  Atan: 1e-4,
  Atan2: 1e-4,
  Cos: 5e-4,
  Expm1: 2e-3,
  Log1p: 2e-3,
  Pow: 2e-4,
  Sin: 5e-4,
  Tan: 1e-3,
};

export function webgpuTolerances(kernels: Iterable<string>): number[] {
  return [...kernels].map((kernel) => LESS_EXACT[kernel] ?? 0);
}
