// Rows of class probabilities, flat and row-major.

/** What float32 softmax may miss 1 by, generously: logits or log-probabilities are far beyond it. */
const ROW_SUM_TOLERANCE = 1e-3;

/** The index of the largest entry of each row, the first one of equals. */
export function argMaxRows(rows: ArrayLike<number>, numClasses: number): Int32Array {
  return Int32Array.from({ length: rowCount(rows, numClasses) }, (_, i) => {
    let best = 0;
    for (let c = 1; c < numClasses; c++) {
      if ((rows[i * numClasses + c] as number) > (rows[i * numClasses + best] as number)) {
        best = c;
      }
    }
    return best;
  });
}

/** @throws RangeError when the numbers are no whole rows */
export function rowCount(rows: ArrayLike<number>, numClasses: number): number {
  if (!Number.isSafeInteger(numClasses) || numClasses < 1 || rows.length % numClasses !== 0) {
    throw new RangeError(`probabilities: ${rows.length} numbers are no rows of ${numClasses} classes`);
  }
  return rows.length / numClasses;
}

/** @throws RangeError when row `i` holds NaN, a negative number, or does not sum to 1 */
export function checkRow(rows: ArrayLike<number>, numClasses: number, i: number): void {
  let sum = 0;
  for (let c = 0; c < numClasses; c++) {
    const value = rows[i * numClasses + c] as number;
    if (!(value >= 0)) {
      throw new RangeError(`probabilities: sample ${i} has ${value} for class ${c} (are these logits?)`);
    }
    sum += value;
  }
  if (!(Math.abs(sum - 1) <= ROW_SUM_TOLERANCE)) {
    throw new RangeError(`probabilities: those of sample ${i} sum to ${sum}, not 1 (are these logits?)`);
  }
}
