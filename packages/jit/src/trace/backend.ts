// The tfjs backend on which functions are traced. Its kernels compute nothing: each asks its rule to append nodes to
// the graph of the current trace. It holds no values, so reading one is an error that names the user's line.
import * as tfjs from "@tensorflow/tfjs-core";
import {
  type BackendValues,
  type DataType,
  getKernel,
  KernelBackend,
  type KernelFunc,
  type NamedAttrMap,
  type NamedTensorInfoMap,
  registerBackend,
  registerKernel,
  type TensorInfo,
} from "@tensorflow/tfjs-core";
import { JitError } from "../errors.ts";
import type { Value } from "../graph/value.ts";
import type { HostAttributes, HostKernel } from "../host-kernels/host-kernel.ts";
import { HOST_KERNELS } from "../host-kernels/index.ts";
import { RULES } from "../rules/index.ts";
import { REFUSED } from "../rules/refused.ts";
import { RuleRefusal } from "../rules/rule.ts";
import { currentTrace } from "./current.ts";
import { describeTensor } from "./describe.ts";
import { LOOP_KERNELS } from "./loops.ts";
import type { Trace } from "./trace.ts";
import { userLine } from "./where.ts";

export const TRACE_BACKEND = "jit-trace";

class TraceBackend extends KernelBackend {
  override write(values: BackendValues, shape: number[], dtype: DataType): object {
    return required().write(values, shape, dtype);
  }

  override readSync(): never {
    throw new JitError(
      "read",
      "a compiled function must not read a tensor's values (data, dataSync, array, print, or a branch on them): while " +
        "it is traced there are none",
      { where: userLine() },
    );
  }

  override async read(): Promise<never> {
    return this.readSync();
  }

  override move(): never {
    throw new Error("tensors from outside a trace are captured, never moved");
  }

  override incRef(dataId: object): void {
    currentTrace()?.retain(dataId);
  }

  override refCount(dataId: object): number {
    return currentTrace()?.references(dataId) ?? 0;
  }

  override disposeData(dataId: object, force = false): boolean {
    return currentTrace()?.release(dataId, force) ?? true;
  }

  override numDataIds(): number {
    return currentTrace()?.size ?? 0;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override timerAvailable(): boolean {
    return false;
  }

  override dispose(): void {}
}

/** Registers the backend and a kernel for every name that tfjs knows: with its rule, or with the refusal of it. */
export function registerTraceBackend(): void {
  if (tfjs.findBackendFactory(TRACE_BACKEND) !== null) {
    return;
  }
  registerBackend(TRACE_BACKEND, () => new TraceBackend(), -1);
  const known = Object.entries(tfjs).flatMap(([name, value]) => (name === value ? [name] : []));
  for (const kernelName of new Set([...known, ...RULES.keys(), ...HOST_KERNELS.keys(), ...LOOP_KERNELS.keys()])) {
    if (getKernel(kernelName, TRACE_BACKEND) === undefined) {
      const kernelFunc = kernelOf(kernelName);
      registerKernel({ kernelName, backendName: TRACE_BACKEND, kernelFunc });
    }
  }
}

function kernelOf(kernelName: string): KernelFunc {
  const rule = RULES.get(kernelName);
  const hostKernel = HOST_KERNELS.get(kernelName);
  const loopKernel = LOOP_KERNELS.get(kernelName);
  return ({ inputs, attrs }) => {
    const trace = required();
    if (rule === undefined && hostKernel === undefined && loopKernel === undefined) {
      throw refusal(kernelName, inputs, attrs, REFUSED.get(kernelName) ?? "there is no rule for this kernel");
    }
    const attributes = (attrs ?? {}) as Readonly<Record<string, unknown>>;
    try {
      const values = valuesOf(trace, inputs);
      const made =
        loopKernel?.(trace, values, attributes) ??
        rule?.({ graph: trace.builder, inputs: values, attributes }) ??
        callHostKernel(trace, kernelName, hostKernel as HostKernel, values, attributes);
      return Array.isArray(made) ? made.map((value) => trace.infoOf(value)) : infoOrSame(trace, inputs, made as Value);
    } catch (error) {
      if (error instanceof RuleRefusal || error instanceof RangeError) {
        throw refusal(kernelName, inputs, attrs, error.message, error);
      }
      throw error;
    }
  };
}

function callHostKernel(
  trace: Trace,
  kernelName: string,
  kernel: HostKernel,
  values: ReadonlyMap<string, Value>,
  attributes: HostAttributes,
): Value[] {
  const operands = kernel.inputs.map((name) => {
    const value = values.get(name);
    if (value === undefined) {
      throw new RangeError(`the operand "${name}" is missing`);
    }
    return value;
  });
  return trace.hostCall(kernelName, kernel, operands, attributes);
}

/** Operands by name; a list of operands (concat, addN) has numbers for names. */
function valuesOf(trace: Trace, inputs: NamedTensorInfoMap): Map<string, Value> {
  return new Map(
    Object.entries(inputs).flatMap(([name, tensor]) =>
      tensor === undefined || tensor === null ? [] : [[name, trace.valueOf(tensor)] as const],
    ),
  );
}

/** A result that is one of the operands shares its data, as a clone does. */
function infoOrSame(trace: Trace, inputs: NamedTensorInfoMap, value: Value): TensorInfo {
  for (const tensor of Object.values(inputs)) {
    if (tensor !== undefined && trace.references(tensor.dataId) > 0 && trace.valueOf(tensor) === value) {
      trace.retain(tensor.dataId);
      return { dataId: tensor.dataId, shape: tensor.shape, dtype: tensor.dtype };
    }
  }
  return trace.infoOf(value);
}

function required(): Trace {
  const trace = currentTrace();
  if (trace === undefined) {
    throw new JitError(
      "read",
      `the backend ${TRACE_BACKEND} works only inside a trace; choose another with setBackend`,
    );
  }
  return trace;
}

function refusal(
  kernelName: string,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap | undefined,
  reason: string,
  cause?: unknown,
): JitError {
  const operands = Object.entries(inputs ?? {}).flatMap(([name, tensor]) =>
    tensor === undefined || tensor === null ? [] : [`${name} ${describeTensor(tensor)}`],
  );
  const options = attrs === undefined || Object.keys(attrs).length === 0 ? "" : `, ${JSON.stringify(attrs)}`;
  return new JitError(
    "unsupported-kernel",
    `cannot compile the kernel ${kernelName}(${operands.join(", ")}${options}): ${reason}`,
    { where: userLine(), cause },
  );
}
