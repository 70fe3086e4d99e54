// Einstein summation over one or two operands, as a matrix product between reductions and transposes.
import { backend_util } from "@tensorflow/tfjs-core";
import type { GraphBuilder } from "../graph/builder.ts";
import { sizeOf, type Value } from "../graph/value.ts";
import { reduceAxes } from "./reductions.ts";
import { attribute, expectDtype, expectOneDtype, NUMBERS, operands, type Rule, RuleRefusal } from "./rule.ts";

/** A value whose axes have labels. */
interface Labelled {
  readonly value: Value;
  readonly labels: readonly string[];
}

const sizes = ({ value, labels }: Labelled, wanted: readonly string[]): number[] =>
  wanted.map((label) => value.shape[labels.indexOf(label)] ?? 1);

/** Sums the axes of other labels than these. */
function keep(graph: GraphBuilder, { value, labels }: Labelled, wanted: readonly string[]): Labelled {
  const summed = labels.flatMap((label, axis) => (wanted.includes(label) ? [] : [axis]));
  return {
    value: reduceAxes(graph, "ReduceSum", value, summed),
    labels: labels.filter((label) => wanted.includes(label)),
  };
}

function arrange(graph: GraphBuilder, { value, labels }: Labelled, wanted: readonly string[]): Value {
  return graph.transpose(
    value,
    wanted.map((label) => labels.indexOf(label)),
  );
}

/** Labels of both operands and of the result stay side by side; those of both alone are contracted. */
function contract(graph: GraphBuilder, a: Labelled, b: Labelled, output: readonly string[]): Labelled {
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const batch = shared.filter((label) => output.includes(label));
  const contracted = shared.filter((label) => !output.includes(label));
  const [freeA, freeB] = [a, b].map(({ labels }) => labels.filter((label) => !shared.includes(label))) as [
    string[],
    string[],
  ];
  const labels = [...batch, ...freeA, ...freeB];
  const outer = sizes(a, batch);
  const [rows, inner, columns] = [sizes(a, freeA), sizes(a, contracted), sizes(b, freeB)].map(sizeOf) as [
    number,
    number,
    number,
  ];
  const left = graph.reshape(arrange(graph, a, [...batch, ...freeA, ...contracted]), [...outer, rows, inner]);
  const right = graph.reshape(arrange(graph, b, [...batch, ...contracted, ...freeB]), [...outer, inner, columns]);
  const shape = [...outer, rows, columns];
  const product =
    contracted.length === 0
      ? graph.elementwise("Mul", [left, right])
      : graph.emit("MatMul", [left, right], { dtype: left.dtype, shape });
  return { value: graph.reshape(product, [...outer, ...sizes(a, freeA), ...sizes(b, freeB)]), labels };
}

const einsum: Rule = (call) => {
  const { graph } = call;
  const values = operands(call);
  const equation = attribute<string>(call, "equation").replace(/\s/g, "");
  const { allDims, idDims } = backend_util.decodeEinsumEquation(equation, values.length); // throws where tfjs does
  backend_util.checkEinsumDimSizes(allDims.length, idDims, values as never);
  const [inputs = "", result = ""] = equation.split("->");
  const output = [...result];
  if (new Set(output).size < output.length) {
    throw new RuleRefusal(`the result of "${equation}" has a label twice; take the diagonal apart`);
  }
  const terms = inputs.split(",").map((labels, i): Labelled => {
    const value = expectDtype(values[i] as Value, ...NUMBERS);
    return { value, labels: [...labels] };
  });
  expectOneDtype(...values);
  const [a, b] = terms as [Labelled, Labelled | undefined];
  if (b === undefined) {
    return arrange(graph, keep(graph, a, output), output);
  }
  const left = keep(graph, a, [...output, ...b.labels]);
  const right = keep(graph, b, [...output, ...a.labels]);
  return arrange(graph, contract(graph, left, right, output), output);
};

export const einsumRules: Readonly<Record<string, Rule>> = { Einsum: einsum };
