// A traced function compiled by ONNX Runtime: fills host inputs, feeds arguments and preallocated outputs, runs the
// kernels that come after the graph, wraps results.
import { dispose, type Tensor } from "@tensorflow/tfjs-core";
import type * as ort from "onnxruntime-node";
import { JitError } from "../errors.ts";
import type { Value } from "../graph/value.ts";
import type { HostCall } from "../host-kernels/host-kernel.ts";
import { type HostElements, HostValue } from "../host-value.ts";
import type { HostInput } from "../trace/trace.ts";
import type { Result, Traced } from "../trace/trace-function.ts";
import { buildTree } from "../tree.ts";
import type { DeviceArray } from "./device-array.ts";
import { runGraph } from "./graph-run.ts";
import type { HostBackend } from "./host-backend.ts";
import type { Profile } from "./profile.ts";
import { bytesOf } from "./report.ts";
import type { Device } from "./sessions.ts";

/** What a run is given. */
export interface RunArguments {
  /** Tensors of the arguments, as they were flattened for the trace. */
  readonly tensors: readonly Tensor[];
  readonly hostValues: readonly HostValue<unknown>[];
  /** Those of the tensors whose memory may be taken. */
  readonly donated: ReadonlySet<Tensor>;
}

/** Milliseconds that runs took, by what was done. */
export interface RunTimes {
  hostInputs: number;
  graph: number;
  hostKernels: number;
}

export interface ProgramOptions {
  /** Ends and reads the profile of the first run. */
  readonly endProfile?: (() => Promise<Profile>) | undefined;
  /** Outputs that stay on the device that runs the graph, as arguments may that come from it. */
  readonly staying?: readonly Value[];
  readonly device?: Device;
}

export class Program {
  readonly traced: Traced;
  readonly times: RunTimes = { hostInputs: 0, graph: 0, hostKernels: 0 };
  /** Bytes that all runs so far copied between arrays of the host and the session. */
  readonly copiedBytes = { in: 0, out: 0 };
  runs = 0;
  /** Of the first run, where it was asked for. */
  profile: Profile | undefined;
  private endProfile: (() => Promise<Profile>) | undefined;
  /** Absent where nothing is left to compute: every result is an argument or a constant. */
  private readonly session: ort.InferenceSession | undefined;
  private readonly host: HostBackend;
  private readonly staying: ReadonlySet<Value>;
  private readonly device: Device;
  private readonly fed: ReadonlySet<Value>;
  /** Where a value is among the tensors of the arguments. */
  private readonly argumentOf: ReadonlyMap<Value, number>;
  private readonly hostInputs: readonly HostInput[];
  /** Values that a result or a later host kernel needs, per host kernel: they must not be written over. */
  private readonly neededAfter: readonly ReadonlySet<Value>[];

  constructor(
    traced: Traced,
    session: ort.InferenceSession | undefined,
    host: HostBackend,
    { endProfile, staying = [], device = "cpu" }: ProgramOptions = {},
  ) {
    this.endProfile = endProfile;
    this.staying = new Set(staying);
    this.device = device;
    this.traced = traced;
    this.session = session;
    this.host = host;
    const { graph, hostInputs, hostCalls, results, parameters } = traced;
    const resultValues = results.map((result) =>
      result.kind === "value" ? result.value : (parameters[result.at] as Value),
    );
    const used = new Set([...graph.inputs, ...hostCalls.flatMap(({ inputs }) => inputs), ...resultValues]);
    this.fed = new Set(graph.inputs);
    this.argumentOf = new Map(parameters.map((value, i) => [value, i]));
    this.hostInputs = hostInputs.filter(({ value }) => used.has(value));
    this.neededAfter = hostCalls.map(
      (_, i) => new Set([...hostCalls.slice(i + 1).flatMap(({ inputs }) => inputs), ...resultValues]),
    );
  }

  async run(given: RunArguments): Promise<unknown> {
    const { graph, parameters, hostCalls, results } = this.traced;
    const { store } = this.host;
    const elements = new Map<Value, HostElements>();
    /** Arrays of the store that were taken for this run and that no result holds yet. */
    const own = new Set<HostElements>();
    const onDevice = new Map<Value, DeviceArray>();
    let stayed = new Map<Value, DeviceArray>();
    const take = (value: Value): HostElements => {
      const array = store.take(value.dtype, value.shape);
      own.add(array);
      elements.set(value, array);
      return array;
    };
    try {
      const started = performance.now();
      for (const [i, value] of parameters.entries()) {
        const tensor = given.tensors[i] as Tensor;
        const there = this.device === "cpu" || !this.fed.has(value) ? undefined : this.host.arrayForDevice(tensor);
        if (there !== undefined) {
          onDevice.set(value, there.array);
          this.copiedBytes.in += there.moved ? bytesOf([value]) : 0;
        } else if (this.device === "cpu" || this.fed.has(value)) {
          elements.set(value, this.elementsOf(tensor));
        }
      }
      for (const { value, source, fill } of this.hostInputs) {
        fill(HostValue.reveal(given.hostValues[source] as HostValue<unknown>), take(value));
      }
      const filled = performance.now();
      for (const output of graph.outputs) {
        if (!this.staying.has(output)) {
          take(output);
        }
      }
      if (this.session !== undefined) {
        const arrays = { host: elements, device: onDevice };
        const made = await runGraph(this.session, graph, this.staying, arrays);
        stayed = made.device;
        this.copiedBytes.in += made.copied.in;
        this.copiedBytes.out += made.copied.out;
      }
      this.checkFinite(elements);
      const computed = performance.now();
      const { endProfile } = this;
      if (endProfile !== undefined) {
        this.endProfile = undefined;
        this.profile = await endProfile();
      }
      const profiled = performance.now();
      for (const [i, call] of hostCalls.entries()) {
        this.runHostKernel(call, i, elements, own, given);
      }
      this.times.hostInputs += filled - started;
      this.times.graph += computed - filled;
      this.times.hostKernels += performance.now() - profiled;
      this.runs += 1;
      const adopted = this.adopt(stayed);
      stayed = new Map();
      const tensors = results.map(
        (result) => this.stayedResult(result, adopted) ?? this.wrap(result, elements, own, given),
      );
      dispose([...adopted.values()]);
      return buildTree(this.traced.structure, tensors);
    } finally {
      for (const array of stayed.values()) {
        array.dispose();
      }
      for (const array of own) {
        store.give(array);
      }
    }
  }

  /** Functions on a GPU may make a number of NaN, so that results would not tell. */
  private checkFinite(elements: ReadonlyMap<Value, HostElements>): void {
    const { finiteness } = this.traced;
    if (finiteness !== undefined && !Number.isFinite(elements.get(finiteness)?.[0])) {
      throw new JitError("diverged", "weights that this run updated are no longer finite");
    }
  }

  private adopt(arrays: ReadonlyMap<Value, DeviceArray>): Map<Value, Tensor> {
    return new Map([...arrays].map(([value, array]) => [value, this.host.adoptFromDevice(array, value.shape)]));
  }

  /** A value may be several results, which then share the array on the device. */
  private stayedResult(result: Result, adopted: ReadonlyMap<Value, Tensor>): Tensor | undefined {
    return result.kind === "value" ? adopted.get(result.value)?.clone() : undefined;
  }

  private runHostKernel(
    { kernel, inputs, outputs, of, attributes }: HostCall,
    index: number,
    elements: Map<Value, HostElements>,
    own: Set<HostElements>,
    given: RunArguments,
  ): void {
    const arrayOf = (value: Value): HostElements => elements.get(value) ?? (value.constant as HostElements);
    const operands = inputs.map(arrayOf);
    outputs.forEach((output, i) => {
      const source = of[i] as Value;
      const sole = of.indexOf(source) === i && inputs.indexOf(source) === inputs.lastIndexOf(source);
      const free = sole && this.neededAfter[index]?.has(source) !== true;
      const array = (free ? this.released(source, elements, given) : undefined) ?? this.copied(source, arrayOf(source));
      own.add(array);
      elements.set(output, array);
    });
    const made = outputs.map(arrayOf);
    const memory = this.host.store.memoryOf(made[0] as HostElements);
    const reachable =
      memory !== undefined &&
      [...operands, ...made].every((each) => each.buffer === memory.buffer || each.length === 1);
    kernel.run({ inputs: operands, outputs: made, attributes, ...(reachable ? { memory } : {}) });
  }

  /** The array of a value that is not needed any more, if it may be written over. */
  private released(
    value: Value,
    elements: ReadonlyMap<Value, HostElements>,
    { tensors, donated }: RunArguments,
  ): HostElements | undefined {
    const at = this.argumentOf.get(value);
    if (at === undefined) {
      return value.constant === undefined ? elements.get(value) : undefined;
    }
    const tensor = tensors[at] as Tensor;
    return donated.has(tensor) ? this.host.steal(tensor.dataId) : undefined;
  }

  private wrap(
    result: Result,
    elements: ReadonlyMap<Value, HostElements>,
    own: Set<HostElements>,
    { tensors }: RunArguments,
  ): Tensor {
    if (result.kind === "argument") {
      const argument = tensors[result.at] as Tensor;
      return result.same ? argument : argument.clone();
    }
    const { value } = result;
    const array = elements.get(value) ?? (value.constant as HostElements);
    if (own.delete(array)) {
      return this.host.adopt(array, value.shape, value.dtype);
    }
    return this.host.adopt(this.copied(value, array), value.shape, value.dtype); // a constant, or a second result
  }

  private copied({ dtype, shape }: Value, elements: HostElements): HostElements {
    const copy = this.host.store.take(dtype, shape);
    copy.set(elements);
    return copy;
  }

  private elementsOf(tensor: Tensor): HostElements {
    return this.host.peek(tensor.dataId) ?? (tensor.dataSync() as HostElements);
  }
}
