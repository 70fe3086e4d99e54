// A fusion on numbers, for tests by hand.
import { createEagerEngine, createLayout, type Fusion, type FusionSite, layoutTensors } from "@merclab/core";
import { dispose, ones, type Rank, tensor, tensor1d, tensor2d, tidy, zeros } from "@tensorflow/tfjs-core";

/** A fusion plugin, whatever its options are. */
interface FusionPlugin {
  readonly options: { parse(given: unknown): unknown };
  // A method, so that factories of any options fit.
  create(options: never, site: FusionSite): Fusion;
}

export interface FuseRequest {
  /** Per modality `[tokens][dim]`, all of one width. */
  readonly streams: Readonly<Record<string, readonly (readonly number[])[]>>;
  /** Per modality `[tokens]`, 1 = observed; all are where absent. */
  readonly present?: Readonly<Record<string, readonly number[]>>;
  /** Utterances of each dialogue; one dialogue of all where absent. */
  readonly lengths?: readonly number[];
  readonly options?: Readonly<Record<string, unknown>>;
  /** A parameter by name: one number for all its places, or all of them, row-major. */
  readonly parameters: (name: string, shape: readonly number[]) => number | readonly number[];
}

/** What the fusion makes of these rows in evaluation, `[tokens][dim]`. */
export async function fuse(plugin: FusionPlugin, request: FuseRequest): Promise<number[][]> {
  await createEagerEngine("cpu").start();
  const modalities = Object.keys(request.streams);
  const rows = request.streams[modalities[0] ?? ""] ?? [];
  const tokens = rows.length;
  const dim = rows[0]?.length ?? 0;
  const layout = createLayout(request.lengths ?? [tokens]);
  const fusion = plugin.create(plugin.options.parse(request.options ?? {}) as never, { modalities, dim });
  try {
    let fused: number[][] = [];
    tidy(() => {
      const parameters = Object.fromEntries(
        fusion.parameters.map(({ name, shape }) => {
          const given = request.parameters(name, shape);
          const size = shape.reduce((product, each) => product * each, 1);
          const values = typeof given === "number" ? new Array<number>(size).fill(given) : [...given];
          return [name, tensor(values, [...shape])];
        }),
      );
      const streams = Object.fromEntries(
        modalities.map((name) => [name, tensor2d((request.streams[name] ?? []).flat(), [tokens, dim])]),
      );
      const present = Object.fromEntries(
        modalities.map((name) => {
          const given = request.present?.[name];
          return [name, given === undefined ? ones<Rank.R1>([tokens]) : tensor1d([...given])];
        }),
      );
      const inputs = { features: streams, present, speakers: zeros<Rank.R1>([tokens], "int32"), layout };
      fused = fusion.apply(parameters, streams, inputs, {}).fused.arraySync();
    });
    return fused;
  } finally {
    dispose(layoutTensors(layout));
  }
}
