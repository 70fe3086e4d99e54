// Kullback-Leibler divergence between two predictions.
import { div, exp, logSoftmax, mul, sub, sum, type Tensor, type Tensor1D, type Tensor2D } from "@tensorflow/tfjs-core";

/**
 * KL(teacher ‖ student) per token from logits, masked after the divergence and averaged over real tokens. Masking the
 * probabilities before it, as SDT's code does, gives 0·log 0 on padding, whose gradient is NaN.
 *
 * @param teacher `[tokens, classes]` logits
 * @param student `[tokens, classes]` logits
 * @param mask `[tokens]`
 * @returns scalar
 */
export function klDivergence(teacher: Tensor2D, student: Tensor2D, mask: Tensor1D): Tensor {
  const logTeacher = logSoftmax(teacher);
  const perToken = sum(mul(exp(logTeacher), sub(logTeacher, logSoftmax(student))), 1);
  return div(sum(mul(perToken, mask)), sum(mask));
}
