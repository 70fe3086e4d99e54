// Every combination of encoder, fusion, objective and balancer, and why one is refused. What fits is told by what the
// parts say they give and need, written down here a second time.
import type { ModelChoice } from "./contract.ts";

type Options = Readonly<Record<string, unknown>>;
type Choice = readonly [string, Options];

export const ENCODERS: readonly Choice[] = [
  ["linear", { dim: 8 }],
  ["transformer", { dim: 8, numHeads: 2 }],
  ["sdt", { dim: 8, numHeads: 2 }],
  ["ada2i", { dim: 8, feedForwardDim: 8 }],
  ["ada2i", { dim: 8, kind: "lstm" }],
  ["cmath", { dim: 8 }],
  ["bc-lstm", { dim: 8 }],
  ["dialogue-rnn", { dim: 8, globalDim: 4, partyDim: 4 }],
  ["dialogue-gcn", { dim: 8 }],
  ["mmgcn", { dim: 8 }],
];

/** Encoders with one stream of all modalities. */
const JOINT = ["dialogue-rnn", "dialogue-gcn"];

/** Why a fusion cannot stand behind an encoder. */
function misfit([encoder]: Choice, { choice: [fusion, { placement }] }: FusionChoice): string | undefined {
  if (!JOINT.includes(encoder)) {
    return undefined;
  }
  if (fusion === "lmam" && placement === undefined) {
    return "this encoder gives one stream of all of them (joint)";
  }
  return fusion === "cross-attention" ? "fusion cross-attention needs two modalities" : undefined;
}

interface FusionChoice {
  readonly choice: Choice;
  readonly streams?: boolean;
  /** It can tell what it makes of one modality alone. */
  readonly alone?: boolean;
  readonly latent?: boolean;
  readonly auxiliary?: boolean;
}

export const FUSIONS: readonly FusionChoice[] = [
  { choice: ["sdt", {}], streams: true, alone: true },
  { choice: ["lmam", { rank: 2 }] },
  { choice: ["lmam", {}] },
  { choice: ["lmam", { variant: "as-described", rank: 2 }] },
  { choice: ["lmam", { rank: 2, placement: "early-residual" }] },
  { choice: ["lmam", { rank: 2, placement: "parallel" }] },
  { choice: ["ada2i", { rank: 2 }], streams: true, alone: true },
  { choice: ["ada2i", { variant: "as-described", rank: 2 }], streams: true, alone: true, auxiliary: true },
  { choice: ["cmath", { numHeads: 2 }], streams: true, latent: true },
  { choice: ["cmath", { numHeads: 2, fusion: "poe" }], streams: true, alone: true, latent: true },
  { choice: ["cmath", { numHeads: 2, fusion: "deterministic" }], streams: true },
  { choice: ["concat", {}], streams: true, alone: true },
  { choice: ["sum", {}], streams: true, alone: true },
  { choice: ["gated", {}], streams: true, alone: true },
  { choice: ["tfn", { modalityDim: 2 }], streams: true, alone: true },
  { choice: ["lmf", { rank: 2 }], streams: true, alone: true },
  { choice: ["cross-attention", { numHeads: 2 }], streams: true, alone: true },
  { choice: ["self-attention", { numHeads: 2 }], streams: true, alone: true },
];

export const OBJECTIVES: readonly {
  readonly name: string;
  readonly needs: readonly ("streams" | "latent" | "auxiliary")[];
  /** The one that it is for, if not single-label. */
  readonly task?: string;
}[] = [
  { name: "cross-entropy", needs: [] },
  { name: "self-distillation", needs: ["streams"] },
  { name: "hierarchical-distillation", needs: ["streams", "latent"] },
  { name: "modal-cross-entropy", needs: ["auxiliary"] },
  { name: "binary-cross-entropy", needs: [], task: "multi-label" },
  { name: "l1", needs: [], task: "regression" },
  { name: "mse", needs: [], task: "regression" },
  { name: "huber", needs: [], task: "regression" },
];
export const BALANCERS = ["none", "ogm-ge", "disparity-ratio"] as const;

const REASONS = {
  streams: "per-modality streams",
  latent: "latent distributions",
  auxiliary: "auxiliary logits",
} as const;

export interface Combination extends ModelChoice {
  readonly name: string;
  /** Why it is refused; undefined where it is not. */
  readonly reason: string | undefined;
}

export const COMBINATIONS: readonly Combination[] = ENCODERS.flatMap((encoder) =>
  FUSIONS.flatMap((fusion) =>
    OBJECTIVES.flatMap(({ name: objective, needs, task }) =>
      BALANCERS.map((balancer): Combination => {
        const [fusionName] = fusion.choice;
        const lacking = needs.find((need) => fusion[need] !== true);
        const reason =
          (task === undefined ? undefined : `objective ${objective} is for ${task} tasks; this one is single-label`) ??
          misfit(encoder, fusion) ??
          (lacking !== undefined
            ? `objective ${objective} needs ${REASONS[lacking]}; fusion ${fusionName} gives none`
            : balancer !== "none" && fusion.alone !== true
              ? `balancer ${balancer} needs what the classifier makes of one modality alone; fusion ${fusionName} cannot tell`
              : balancer !== "none" && JOINT.includes(encoder[0])
                ? `balancer ${balancer} needs encoder parameters that serve one modality alone; encoder ${encoder[0]} has none for joint`
                : undefined);
        return {
          name: `${encoder.map((x) => JSON.stringify(x)).join(" ")} + ${JSON.stringify(fusion.choice)} + ${objective} + ${balancer}`,
          reason,
          encoder,
          fusion: fusion.choice,
          objective: [objective],
          balancer: [balancer],
        };
      }),
    ),
  ),
);

/**
 * Fewer, in which any two parts that go together meet at least once: every fusion behind every encoder, and every
 * objective and balancer with every fusion.
 */
export const PAIRS: readonly Combination[] = COMBINATIONS.filter(
  ({ encoder: [encoder], objective, balancer, reason }) =>
    reason === undefined && (encoder === "linear" || (objective?.[0] === "cross-entropy" && balancer?.[0] === "none")),
);
