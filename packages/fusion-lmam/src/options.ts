// Options of LMAM. A variant only sets defaults: "as-published" is the computation of the authors' release (full
// weight, text is the memory), "as-described" what the paper claims (low rank, every modality is memory in turn).
// After parsing, every option has the value that is used; what cannot combine is refused with the reason.
import { z } from "zod";

export const VARIANTS = ["as-published", "as-described"] as const;
export const MODES = ["anchorMemory", "allPairs", "anchorQuery"] as const;
export const POST_FORMS = ["geluSum", "sumGelu"] as const;
export const BIASES = ["rank", "feature", "none"] as const;
export const AUGMENTS = ["none", "both"] as const;
export const VALUE_SPACES = ["model", "rank"] as const;
export const SHARINGS = ["all", "perQueryModality", "perPair"] as const;
export const SCORE_ACTIVATIONS = ["tanh", "identity", "scaled"] as const;
export const REDUCTIONS = ["sum", "mean"] as const;
/** Behind the encoder; before it, with or without a linear map of all modalities beside the fused sequence; beside it. */
export const PLACEMENTS = ["late", "early", "early-residual", "parallel"] as const;
export const OUTPUT_ACTIVATIONS = ["gelu", "relu", "tanh", "identity"] as const;

/** No source gives the paper's ranks; 16 is our choice. */
export const DESCRIBED_RANK = 16;

const givenOptions = z.strictObject({
  variant: z
    .enum(VARIANTS)
    .default("as-published")
    .describe("sets the defaults of rank, mode (and with them anchor, bias); an option that is given wins"),
  placement: z
    .enum(PLACEMENTS)
    .default("late")
    .describe(
      "behind the encoder; early: before it; early-residual: before it, with a linear map of all modalities added; parallel: beside it, both are added",
    ),
  width: z
    .int()
    .positive()
    .optional()
    .describe("width that features are mapped to before or beside the encoder; the encoder's where absent"),
  rank: z.int().positive().nullable().optional().describe("rank of the matching weight; null = full"),
  allowLargeRank: z
    .boolean()
    .default(false)
    .describe("permits d/2 < rank ≤ d, where factors have more parameters than the full weight"),
  mode: z.enum(MODES).optional().describe("which rows ask and which answer: see the README of packages/fusion-lmam"),
  anchor: z.string().min(1).nullable().optional().describe("name of the anchor modality"),
  postForm: z
    .enum(POST_FORMS)
    .default("geluSum")
    .describe("gelu before the sum over modalities, or after it (sumGelu, for allPairs with residual only)"),
  bias: z.enum(BIASES).optional().describe("rank: c in the rank's space, feature: b in the model's space, none"),
  augment: z
    .enum(AUGMENTS)
    .default("none")
    .describe("both appends a constant 1 to query and memory rows; U, V are then [d + 1, r]"),
  valueSpace: z
    .enum(VALUE_SPACES)
    .default("model")
    .describe("rank pools Uᵀ t and maps the result back: lmam.value.weight [d, r], lmam.value.bias [d]"),
  sharing: z
    .enum(SHARINGS)
    .default("all")
    .describe("one weight, one perQueryModality, or one perPair of query and memory"),
  scoreActivation: z.enum(SCORE_ACTIVATIONS).default("tanh").describe("or identity, or scaled: s / √(r or d)"),
  reduce: z
    .enum(REDUCTIONS)
    .default("sum")
    .describe("mean divides each sum over modalities by its number of terms (the residual's too)"),
  residual: z.boolean().default(true).describe("adds the anchor, or the sum of all modalities"),
  outputProjection: z
    .strictObject({ units: z.int().positive(), activation: z.enum(OUTPUT_ACTIVATIONS).default("gelu") })
    .nullable()
    .default(null),
  attentionDropout: z.number().min(0).lt(1).default(0).describe("dropout on the attention"),
  causal: z.boolean().default(false).describe("utterance i attends to memory rows j ≤ i only"),
  maskOutput: z.boolean().default(true).describe("zeros where no modality was observed"),
  initStddev: z
    .number()
    .positive()
    .default(0.01)
    .describe("standard deviation of the entries of W, or of U Vᵀ, at the start"),
});

type GivenOptions = z.output<typeof givenOptions>;

/** Options with every default filled in; they parse to themselves. */
export interface LmamOptions extends GivenOptions {
  /** null = full weight. */
  readonly rank: number | null;
  readonly mode: (typeof MODES)[number];
  /** null in `allPairs`, which has no anchor. */
  readonly anchor: string | null;
  readonly bias: (typeof BIASES)[number];
}

export const lmamOptions = givenOptions.transform((given, context): LmamOptions => {
  const options = withDefaults(given);
  for (const { option, reason } of conflicts(options)) {
    context.addIssue({ code: "custom", path: [option], message: reason });
  }
  return options;
});

function withDefaults(given: GivenOptions): LmamOptions {
  const described = given.variant === "as-described";
  const rank = given.rank === undefined ? (described ? DESCRIBED_RANK : null) : given.rank;
  const mode = given.mode ?? (described ? "allPairs" : "anchorMemory");
  const anchor = given.anchor === undefined ? (mode === "allPairs" ? null : "text") : given.anchor;
  // A constant 1 on the query side already is the bias in rank space.
  const bias = given.bias ?? (rank === null ? "feature" : given.augment === "both" ? "none" : "rank");
  return { ...given, rank, mode, anchor, bias };
}

interface Conflict {
  readonly option: keyof LmamOptions;
  readonly reason: string;
}

function conflicts(options: LmamOptions): Conflict[] {
  const { placement, width, rank, mode, anchor, bias, augment, valueSpace, sharing, postForm, residual } = options;
  const found: Conflict[] = [];
  const refuse = (when: boolean, option: keyof LmamOptions, reason: string): void => {
    if (when) {
      found.push({ option, reason });
    }
  };
  const full = rank === null;
  refuse(
    placement === "late" && width !== undefined,
    "width",
    "behind the encoder lmam has the encoder's width; set the encoder's dim, or another placement",
  );
  refuse(full && bias === "rank", "bias", "a bias in rank space needs a rank; the full weight takes feature or none");
  refuse(full && augment === "both", "augment", "the constant 1 is appended to low-rank factors; give a rank");
  refuse(full && valueSpace === "rank", "valueSpace", "values in rank space need a rank; the full weight has none");
  refuse(
    !full && augment === "both" && bias === "rank",
    "bias",
    "with augment: both, the constant 1 on the query side already is the bias in rank space; leave bias out, or none",
  );
  refuse(
    mode === "allPairs" && anchor !== null,
    "anchor",
    "allPairs has no anchor: every modality is query and memory",
  );
  refuse(mode !== "allPairs" && anchor === null, "anchor", `${mode} needs the name of a modality as anchor`);
  refuse(
    mode !== "allPairs" && postForm === "sumGelu",
    "postForm",
    `sumGelu sums over every memory and query, as allPairs does; ${mode} takes geluSum`,
  );
  refuse(
    postForm === "sumGelu" && !residual,
    "residual",
    "the sum of GELUs is sumGelu's residual; without it use postForm: geluSum",
  );
  refuse(
    mode === "anchorMemory" && sharing === "perPair",
    "sharing",
    "anchorMemory has one memory, so a weight per pair is a weight per query modality; use perQueryModality",
  );
  refuse(
    mode === "anchorQuery" && sharing === "perQueryModality",
    "sharing",
    "anchorQuery has one query modality, so this is one weight for all; use all or perPair",
  );
  return found;
}
