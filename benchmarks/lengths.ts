// What is known of dialogue lengths, speakers and classes of IEMOCAP (six classes, the fixed validation part of COSMIC)
// and MELD (the official parts): facts that stand in for the sets where they are not there.

/** Dialogues of a part, and the 0th, 5th, … 100th percentile of their utterances. */
interface Lengths {
  readonly dialogues: number;
  readonly lengths: readonly number[];
}

interface KnownShape {
  readonly quantiles: Readonly<Record<"train" | "valid" | "test", Lengths>>;
  readonly numSpeakers: number;
  readonly trainClassCounts: readonly number[];
}

export const LENGTHS: Readonly<Record<"iemocap" | "meld", KnownShape>> = {
  iemocap: {
    quantiles: {
      train: {
        dialogues: 108,
        lengths: [8, 26, 27, 31, 34, 37, 39, 42, 44, 46, 47, 50, 52, 53, 54, 57, 60, 62, 66, 74, 94],
      },
      valid: {
        dialogues: 12,
        lengths: [18, 24, 24, 32, 32, 43, 43, 44, 44, 50, 58, 58, 63, 63, 63, 63, 64, 64, 78, 78, 110],
      },
      test: {
        dialogues: 31,
        lengths: [23, 28, 29, 34, 40, 43, 43, 43, 44, 49, 52, 52, 54, 58, 59, 59, 64, 75, 83, 83, 91],
      },
    },
    numSpeakers: 2,
    trainClassCounts: [451, 771, 1221, 831, 593, 1296],
  },
  meld: {
    quantiles: {
      train: {
        dialogues: 1038,
        lengths: [1, 1, 2, 3, 4, 5, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 24],
      },
      valid: {
        dialogues: 114,
        lengths: [1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 11, 11, 11, 12, 13, 14, 15, 17, 20, 23],
      },
      test: {
        dialogues: 280,
        lengths: [1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 9, 9, 10, 11, 12, 13, 14, 16, 17, 19, 33],
      },
    },
    numSpeakers: 9,
    trainClassCounts: [4710, 1205, 268, 683, 1743, 271, 1109],
  },
};

/** `count` lengths, ascending, on the line through evenly spaced percentiles. */
export function lengthsFromQuantiles(percentiles: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const place = ((i + 0.5) / count) * (percentiles.length - 1);
    const below = percentiles[Math.floor(place)] ?? 1;
    const above = percentiles[Math.ceil(place)] ?? below;
    return Math.round(below + (above - below) * (place - Math.floor(place)));
  });
}
