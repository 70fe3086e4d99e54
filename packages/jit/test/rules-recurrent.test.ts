// Recurrent cells, unrolled over five steps, and whole models: many rules at once, with the gradients of every weight.
import * as tf from "@tensorflow/tfjs-core";
import { describe, it } from "vitest";
import { expectAgreement, fc, type Host, hosts, property } from "./support.ts";

const STEPS = 5;
const BATCH = 2;
const INPUTS = 3;
const UNITS = 4;

const weights = (...shape: number[]) => hosts(shape, { min: -0.8, max: 0.8 });
const sequence = weights(BATCH, STEPS, INPUTS);
const state = weights(BATCH, UNITS);

const stepsOf = (x: tf.Tensor): tf.Tensor2D[] => tf.unstack(x, 1) as tf.Tensor2D[];

/** h' = u h + (1 − u) tanh(x Wx + r (h Wh) + b) with gates r, u = σ(x Gx + h Gh + c). */
function gruStep(x: tf.Tensor, h: tf.Tensor, [gx, gh, c, wx, wh, b]: readonly tf.Tensor[]): tf.Tensor {
  const sum = (kernel: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor) =>
    tf.add(tf.add(tf.matMul(x as tf.Tensor2D, kernel as tf.Tensor2D), recurrent), bias);
  const gates = tf.sigmoid(sum(gx as tf.Tensor, tf.matMul(h as tf.Tensor2D, gh as tf.Tensor2D), c as tf.Tensor));
  const [reset, update] = tf.split(gates, 2, 1) as [tf.Tensor, tf.Tensor];
  const recurrent = tf.mul(reset, tf.matMul(h as tf.Tensor2D, wh as tf.Tensor2D));
  const candidate = tf.tanh(sum(wx as tf.Tensor, recurrent, b as tf.Tensor));
  return tf.add(tf.mul(update, h), tf.mul(tf.sub(1, update), candidate));
}

/** An LSTM cell with gates i, f, o and candidate g, and a mask that keeps the state where a sequence has ended. */
function lstmStep(x: tf.Tensor, h: tf.Tensor, c: tf.Tensor, mask: tf.Tensor, [wx, wh, b]: readonly tf.Tensor[]) {
  const sum = tf.add(
    tf.add(tf.matMul(x as tf.Tensor2D, wx as tf.Tensor2D), tf.matMul(h as tf.Tensor2D, wh as tf.Tensor2D)),
    b as tf.Tensor,
  );
  const [i, f, o, g] = tf.split(sum, 4, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const next = tf.add(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(g)));
  const output = tf.mul(tf.sigmoid(o), tf.tanh(next));
  return [tf.where(mask, output, h), tf.where(mask, next, c)] as const;
}

describe("recurrent cells over five steps", () => {
  it("an LSTM written by hand, with a mask", async () => {
    const operands = fc.tuple(
      sequence,
      state,
      state,
      weights(INPUTS, 4 * UNITS),
      weights(UNITS, 4 * UNITS),
      weights(4 * UNITS),
    );
    await property(operands, (list) =>
      expectAgreement((x, h0, c0, ...rest) => {
        const lengths = tf.tensor2d([STEPS, 2], [BATCH, 1]);
        let [h, c] = [h0 as tf.Tensor, c0 as tf.Tensor];
        const outputs = stepsOf(x as tf.Tensor).map((each, t) => {
          [h, c] = lstmStep(each, h, c, tf.less(tf.scalar(t), lengths), rest);
          return h;
        });
        return [tf.stack(outputs, 1), c];
      }, list),
    );
  });

  it("a GRU written by hand", async () => {
    const [gates, cell] = [2 * UNITS, UNITS];
    const operands = fc.tuple(
      sequence,
      state,
      weights(INPUTS, gates),
      weights(UNITS, gates),
      weights(gates),
      weights(INPUTS, cell),
      weights(UNITS, cell),
      weights(cell),
    );
    await property(operands, (list) =>
      expectAgreement((x, h0, ...rest) => {
        let h = h0 as tf.Tensor;
        const outputs = stepsOf(x as tf.Tensor).map((each) => {
          h = gruStep(each, h, rest);
          return h;
        });
        return tf.concat(outputs, 1);
      }, list),
    );
  });

  it("a GRU in both directions over packed rows, gathered and scattered", async () => {
    const operands = fc.tuple(
      weights(8, INPUTS),
      weights(INPUTS, 2 * UNITS),
      weights(UNITS, 2 * UNITS),
      weights(2 * UNITS),
    );
    await property(operands, (list) =>
      expectAgreement((rows, gx, gh, c) => {
        const places = tf.tensor2d([0, 1, 2, 3, 4, 5, 6, 7, 7, 7], [BATCH, STEPS], "int32");
        const padded = tf.gather(rows as tf.Tensor2D, places); // [batch, steps, inputs]
        const run = (x: tf.Tensor) => {
          let h: tf.Tensor = tf.zeros([BATCH, UNITS]);
          return tf.stack(
            stepsOf(x).map((each) => {
              const gate = tf.matMul(each, gx as tf.Tensor2D);
              const both = tf.sigmoid(
                tf.add(tf.add(gate, tf.matMul(h as tf.Tensor2D, gh as tf.Tensor2D)), c as tf.Tensor),
              );
              const [update, candidate] = tf.split(both, 2, 1) as [tf.Tensor, tf.Tensor];
              h = tf.add(tf.mul(update, h), tf.mul(tf.sub(1, update), candidate));
              return h;
            }),
            1,
          );
        };
        const back = tf.reverse(run(tf.reverse(padded, 1)), 1);
        const joined = tf.reshape(tf.concat([run(padded), back], 2), [BATCH * STEPS, 2 * UNITS]);
        return tf.unsortedSegmentSum(joined, tf.reshape(places, [BATCH * STEPS]) as tf.Tensor1D, 8);
      }, list),
    );
  });

  it("tf.basicLSTMCell", async () => {
    const operands = fc.tuple(sequence, weights(INPUTS + UNITS, 4 * UNITS), weights(4 * UNITS), state, state);
    await property(operands, (list) =>
      expectAgreement((x, kernel, bias, c0, h0) => {
        let [c, h] = [c0 as tf.Tensor2D, h0 as tf.Tensor2D];
        for (const each of stepsOf(x as tf.Tensor)) {
          [c, h] = tf.basicLSTMCell(1, kernel as tf.Tensor2D, bias as tf.Tensor1D, each, c, h);
        }
        return [c, h];
      }, list),
    );
  });

  it("tf.multiRNNCell", async () => {
    const operands = fc.tuple(
      sequence,
      weights(INPUTS + UNITS, 4 * UNITS),
      weights(2 * UNITS, 4 * UNITS),
      weights(4 * UNITS),
      state,
      state,
    );
    await property(operands, (list) =>
      expectAgreement((x, first, second, bias, c0, h0) => {
        const cells = [first, second].map(
          (kernel) => (data: tf.Tensor2D, c: tf.Tensor2D, h: tf.Tensor2D) =>
            tf.basicLSTMCell(0.5, kernel as tf.Tensor2D, bias as tf.Tensor1D, data, c, h),
        );
        let [c, h] = [
          [c0, c0],
          [h0, h0],
        ] as [tf.Tensor2D[], tf.Tensor2D[]];
        for (const each of stepsOf(x as tf.Tensor)) {
          [c, h] = tf.multiRNNCell(cells, each, c, h);
        }
        return [...c, ...h];
      }, list),
    );
  });
});

describe("models", () => {
  it("a text classifier: embedding, convolution, pooling, batch normalization, cross entropy", async () => {
    const tokens: Host = { shape: [2, 6], dtype: "int32", values: [1, 4, 2, 0, 0, 0, 3, 3, 1, 5, 2, 4] };
    const operands = fc.tuple(weights(6, 4), weights(3, 4, 5), weights(5), weights(5), weights(5, 3));
    await property(operands, (list) =>
      expectAgreement(
        (ids, table, filter, offset, scale, output) => {
          const embedded = tf.gather(table as tf.Tensor, ids as tf.Tensor) as tf.Tensor3D;
          const convolved = tf.relu(tf.conv1d(embedded, filter as tf.Tensor3D, 1, "same"));
          const { mean, variance } = tf.moments(convolved, [0, 1]);
          const normal = tf.batchNorm(
            convolved,
            mean as tf.Tensor1D,
            variance as tf.Tensor1D,
            offset as tf.Tensor1D,
            scale as tf.Tensor1D,
          );
          const pooled = tf.max(normal, 1) as tf.Tensor2D;
          const logits = tf.matMul(pooled, output as tf.Tensor2D);
          return tf.losses.softmaxCrossEntropy(tf.oneHot(tf.tensor1d([0, 2], "int32"), 3), logits);
        },
        [tokens, ...list],
      ),
    );
  });

  it("tfjs's losses", async () => {
    const labels: Host = { shape: [2, 3], dtype: "float32", values: [1, 0, 0, 0, 1, 0] };
    const { absoluteDifference, cosineDistance, hingeLoss, huberLoss, logLoss } = tf.losses;
    const { meanSquaredError, sigmoidCrossEntropy, softmaxCrossEntropy } = tf.losses;
    await property(fc.tuple(hosts([2, 3]), hosts([2, 3], { min: 0.1, max: 0.9 })), ([x, probs]) =>
      expectAgreement(
        (y, a, p) => [
          absoluteDifference(y as tf.Tensor, a as tf.Tensor),
          cosineDistance(y as tf.Tensor, a as tf.Tensor, 1),
          hingeLoss(y as tf.Tensor, a as tf.Tensor),
          huberLoss(y as tf.Tensor, a as tf.Tensor),
          logLoss(y as tf.Tensor, p as tf.Tensor),
          meanSquaredError(y as tf.Tensor, a as tf.Tensor),
          sigmoidCrossEntropy(y as tf.Tensor, a as tf.Tensor),
          softmaxCrossEntropy(y as tf.Tensor, a as tf.Tensor, 1, 0.1),
        ],
        [labels, x, probs],
        { gradients: false },
      ),
    );
    for (const loss of [huberLoss, sigmoidCrossEntropy, softmaxCrossEntropy, meanSquaredError]) {
      await property(hosts([2, 3]), (x) =>
        expectAgreement((a) => loss(tf.tensor2d([...labels.values], [2, 3]), a as tf.Tensor), [x]),
      );
    }
  });
});
