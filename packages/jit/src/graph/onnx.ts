// A graph as an ONNX model: the part of onnx.proto that is used here, coded by protobufjs.
import protobuf from "protobufjs";
import { type GraphBuilder, ONNX_TYPES } from "./builder.ts";
import { type AttributeValue, type Body, type Node, outputsOf, sizeOf, type Value } from "./value.ts";

/** The operator set that the rules are written for, and the file format that goes with it. */
export const ONNX_OPSET = 21;
const IR_VERSION = 10;

// From onnx.proto of ONNX 1.16, with its field numbers; fields that are never written are left out.
const SCHEMA = `
syntax = "proto2";
message AttributeProto {
  optional string name = 1;
  optional float f = 2;
  optional int64 i = 3;
  optional bytes s = 4;
  optional GraphProto g = 6;
  repeated int64 ints = 8;
  optional int32 type = 20;
}
message NodeProto {
  repeated string input = 1;
  repeated string output = 2;
  optional string name = 3;
  optional string op_type = 4;
  repeated AttributeProto attribute = 5;
}
message TensorProto {
  repeated int64 dims = 1;
  optional int32 data_type = 2;
  optional string name = 8;
  optional bytes raw_data = 9;
}
message Dimension { optional int64 dim_value = 1; }
message TensorShapeProto { repeated Dimension dim = 1; }
message TypeTensor { optional int32 elem_type = 1; optional TensorShapeProto shape = 2; }
message TypeSequence { optional TypeProto elem_type = 1; }
message TypeProto { optional TypeTensor tensor_type = 1; optional TypeSequence sequence_type = 4; }
message ValueInfoProto { optional string name = 1; optional TypeProto type = 2; }
message GraphProto {
  repeated NodeProto node = 1;
  optional string name = 2;
  repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11;
  repeated ValueInfoProto output = 12;
}
message OperatorSetIdProto { optional string domain = 1; optional int64 version = 2; }
message ModelProto {
  optional int64 ir_version = 1;
  optional string producer_name = 2;
  optional GraphProto graph = 7;
  repeated OperatorSetIdProto opset_import = 8;
}
`;

const ModelProto = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType("ModelProto");

/** What is compiled: only nodes that an output needs, in the order in which they were made. */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly inputs: readonly Value[];
  readonly constants: readonly Value[];
  readonly outputs: readonly Value[];
}

/** Keeps what the outputs depend on. Inputs and constants among the outputs must have been taken out. */
export function pruneGraph(builder: GraphBuilder, outputs: readonly Value[]): Graph {
  const { nodes, leaves } = needed(builder, outputs);
  return {
    nodes,
    inputs: leaves.filter(({ constant }) => constant === undefined),
    constants: leaves.filter(({ constant }) => constant !== undefined),
    outputs,
  };
}

/**
 * What a node repeats. An output that is an input, a constant, a value from outside or an earlier output must have been
 * copied, so that each is made here.
 */
export function pruneBody(
  builder: GraphBuilder,
  inputs: readonly Value[],
  outputs: readonly Value[],
  times: number,
): Body {
  const { nodes, leaves } = needed(builder, outputs);
  const captures = leaves.filter((value) => !builder.owns(value));
  const constants = leaves.filter((value) => builder.owns(value) && value.constant !== undefined);
  return { nodes, inputs, constants, outputs, captures, times };
}

/** Nodes in their order, and what they read that no node makes. */
function needed(builder: GraphBuilder, outputs: readonly Value[]): { nodes: Node[]; leaves: Value[] } {
  const producers = new Map(builder.nodes.flatMap((node) => outputsOf(node).map((output) => [output, node])));
  const used = new Set<Node>();
  const leaves = new Set<Value>();
  const open = [...outputs];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const node = producers.get(value);
    if (node === undefined) {
      leaves.add(value);
    } else if (!used.has(node)) {
      used.add(node);
      open.push(...node.inputs.filter((input) => input !== undefined), ...(node.body?.captures ?? []));
    }
  }
  return { nodes: builder.nodes.filter((node) => used.has(node)), leaves: [...leaves] };
}

export interface ModelOptions {
  /** Leaves the shapes of inputs and outputs open. */
  readonly anyShape?: boolean;
  /** Name of a further output, the first of all: an empty sequence. */
  readonly sequence?: string;
}

export function encodeModel(graph: Graph, { anyShape = false, sequence }: ModelOptions = {}): Uint8Array {
  const model = {
    ir_version: IR_VERSION,
    producer_name: "tfjs-jit",
    opset_import: [{ domain: "", version: ONNX_OPSET }],
    graph: graphProto("traced", graph, anyShape ? typeInfo : valueInfo, sequence),
  };
  return ModelProto.encode(model).finish();
}

function graphProto(
  name: string,
  { nodes, inputs, constants, outputs }: Graph,
  interfaceOf = valueInfo,
  sequence?: string,
): object {
  const sequences = sequence === undefined ? [] : [sequence];
  return {
    name,
    node: [
      ...nodes.map((node) => ({
        input: node.inputs.map((input) => input?.name ?? ""),
        output: outputsOf(node).map((output) => output.name),
        name: node.output.name,
        op_type: node.op,
        attribute: [
          ...Object.entries(node.attributes).map(([key, value]) => attribute(key, value)),
          ...(node.body === undefined ? [] : [{ name: "body", type: 5, g: graphProto("body", node.body) }]),
        ],
      })),
      ...sequences.map((output) => ({ output: [output], name: output, op_type: "SequenceEmpty" })),
    ],
    initializer: constants.map(initializer),
    input: inputs.map(interfaceOf),
    output: [...sequences.map(sequenceInfo), ...outputs.map(interfaceOf)],
  };
}

function attribute(name: string, value: AttributeValue): object {
  if (typeof value === "number") {
    return { name, type: 2, i: value };
  }
  if (typeof value === "string") {
    return { name, type: 3, s: new TextEncoder().encode(value) };
  }
  return "float" in value ? { name, type: 1, f: value.float } : { name, type: 7, ints: value };
}

function initializer({ name, dtype, shape, constant }: Value): object {
  const raw = constant === undefined ? new Uint8Array(0) : constant;
  return {
    name,
    dims: shape,
    data_type: ONNX_TYPES[dtype],
    raw_data: new Uint8Array(raw.buffer, raw.byteOffset, sizeOf(shape) * raw.BYTES_PER_ELEMENT),
  };
}

function typeInfo({ name, dtype }: Value): object {
  return { name, type: { tensor_type: { elem_type: ONNX_TYPES[dtype] } } };
}

function sequenceInfo(name: string): object {
  return { name, type: { sequence_type: { elem_type: { tensor_type: { elem_type: ONNX_TYPES.float32 } } } } };
}

function valueInfo({ name, dtype, shape }: Value): object {
  const dims = shape.map((dim) => ({ dim_value: dim }));
  return { name, type: { tensor_type: { elem_type: ONNX_TYPES[dtype], shape: { dim: dims } } } };
}
