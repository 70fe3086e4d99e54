// The parameters of the epoch that is best so far, copied to the host while training goes on: what is left of a trial
// besides its numbers.
import { type HostTensor, type ParameterSpec, type Parameters, parameter } from "@merclab/core";

/** Parameters by name in the order of the model, frozen ones included, as they were after an epoch. */
export interface SelectedWeights {
  /** From 1. */
  readonly epoch: number;
  readonly tensors: ReadonlyMap<string, HostTensor>;
}

export interface SelectedWeightsKeeper {
  /** Of the last call; undefined before the first. */
  readonly kept: SelectedWeights | undefined;
  /** Takes these in the place of what was kept, into the same memory. */
  keep(epoch: number, parameters: Parameters): Promise<void>;
}

/** @param kept what an earlier attempt kept; its arrays become the keeper's */
export function createSelectedWeightsKeeper(
  specs: readonly ParameterSpec[],
  kept: SelectedWeights | undefined,
): SelectedWeightsKeeper {
  let current = kept;
  return {
    get kept() {
      return current;
    },
    async keep(epoch, parameters) {
      const tensors = new Map<string, HostTensor>();
      for (const { name } of specs) {
        const value = parameter(parameters, name);
        const array = current?.tensors.get(name)?.data ?? new Float32Array(value.size);
        // Copied once more, since on some engines this is the memory of the tensor itself.
        array.set(await value.data<"float32">());
        tensors.set(name, { shape: value.shape, data: array });
      }
      current = { epoch, tensors };
    },
  };
}
