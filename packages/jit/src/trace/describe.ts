// How tensors are named in errors.

/** `float32[2, 3]` */
export function describeTensor(tensor: { readonly shape: readonly number[]; readonly dtype: string }): string {
  return `${tensor.dtype}[${tensor.shape.join(", ")}]`;
}
