// Kernels that move blocks of space into other axes and back.
import { backend_util } from "@tensorflow/tfjs-core";
import { sizeOf } from "../graph/value.ts";
import { padValue } from "./padding.ts";
import { attribute, operand, type Rule } from "./rule.ts";
import { sliceValue } from "./shapes.ts";

const spaceToBatch: Rule = (call) => {
  const { graph } = call;
  const x = operand(call, "x");
  const blocks = attribute<number[]>(call, "blockShape");
  const paddings = attribute<[number, number][]>(call, "paddings");
  const none = x.shape.slice(1 + blocks.length).map((): [number, number] => [0, 0]);
  const padded = padValue(graph, x, [[0, 0], ...paddings, ...none], 0);
  const size = sizeOf(blocks);
  const split = graph.reshape(padded, backend_util.getReshaped([...padded.shape], blocks, size, false));
  const moved = graph.transpose(split, backend_util.getPermuted(split.shape.length, blocks.length, false));
  return graph.reshape(moved, backend_util.getReshapedPermuted([...padded.shape], blocks, size, false));
};

const batchToSpace: Rule = (call) => {
  const { graph } = call;
  const x = operand(call, "x");
  const blocks = attribute<number[]>(call, "blockShape");
  const crops = attribute<number[][]>(call, "crops");
  const size = sizeOf(blocks);
  const split = graph.reshape(x, backend_util.getReshaped([...x.shape], blocks, size));
  const moved = graph.transpose(split, backend_util.getPermuted(split.shape.length, blocks.length));
  const whole = graph.reshape(moved, backend_util.getReshapedPermuted([...x.shape], blocks, size));
  // The cut names the axes of the blocks; those after them stay whole.
  const begin = backend_util.getSliceBeginCoords(crops, blocks.length);
  const length = backend_util.getSliceSize([...whole.shape], crops, blocks.length);
  const rest = whole.shape.slice(length.length);
  return sliceValue(graph, whole, [...begin, ...rest.map(() => 0)], [...length, ...rest]);
};

const depthToSpace: Rule = (call) => {
  const { graph } = call;
  const x = operand(call, "x");
  const block = attribute<number>(call, "blockSize");
  const last = attribute<string>(call, "dataFormat") === "NHWC";
  const [batch, height, width, depth] = (last ? x.shape : [0, 2, 3, 1].map((axis) => x.shape[axis])) as [
    number,
    number,
    number,
    number,
  ];
  const rest = depth / (block * block);
  const [rows, columns] = [height * block, width * block];
  if (last) {
    const split = graph.reshape(x, [batch, height, width, block, block, rest]);
    return graph.reshape(graph.transpose(split, [0, 1, 3, 2, 4, 5]), [batch, rows, columns, rest]);
  }
  const split = graph.reshape(x, [batch, block, block, rest, height, width]);
  return graph.reshape(graph.transpose(split, [0, 3, 4, 1, 5, 2]), [batch, rest, rows, columns]);
};

export const blockRules: Readonly<Record<string, Rule>> = {
  BatchToSpaceND: batchToSpace,
  DepthToSpace: depthToSpace,
  SpaceToBatchND: spaceToBatch,
};
