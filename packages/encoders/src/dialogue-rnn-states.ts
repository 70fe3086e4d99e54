// The states of DialogueRNN along the dialogues of a batch: runs, one per sequence and direction, go side by side through
// one loop for global and party states, and one for emotion states. Equations are in the README.
import {
  type Context,
  gruState,
  type Inputs,
  type Layout,
  oneHotRows,
  type Parameters,
  packTime,
  parameter,
  reverseTime,
  scan,
  standing,
  stopGradient,
  timeMajor,
} from "@merclab/core";
import {
  add,
  concat,
  div,
  exp,
  expandDims,
  matMul,
  maximum,
  minimum,
  mul,
  reshape,
  slice,
  split,
  stack,
  sub,
  sum,
  type Tensor,
  type Tensor2D,
  transpose,
  zeros,
} from "@tensorflow/tfjs-core";

/** Widths and switches of the cells. */
export interface StateOptions {
  readonly globalDim: number;
  readonly partyDim: number;
  readonly dropout: number;
  readonly listener: boolean;
}

/** One direction over one sequence. */
export interface Run {
  readonly name: string;
  /** `[tokens, inDim]` */
  readonly x: Tensor2D;
  readonly backward: boolean;
  readonly sites: Context;
}

/** Emotion states of all runs, which go through one loop side by side. `[tokens, emotionDim]` each */
export function emotionStates(
  parameters: Parameters,
  runs: readonly Run[],
  inputs: Inputs,
  numSpeakers: number,
  emotionDim: number,
  options: StateOptions,
): Tensor2D[] {
  const { layout } = inputs;
  const { batch } = layout;
  const { partyDim, dropout: rate } = options;
  const masks = runMasks(runs, inputs, numSpeakers);
  const drop = (site: string, width: number) => stateDropout(runs, layout, site, width, rate);
  const speakerStates = partyStates(parameters, runs, layout, masks, numSpeakers, drop, options);
  // The emotion GRU reads nothing but the speaker's states, so that its inputs are projected at once.
  const emotionDrop = drop("emotion", emotionDim);
  const weight = stacked(parameters, runs, "e_cell.weight_ih", transpose); // [runs, partyDim, 3 · emotionDim]
  const bias = stacked(parameters, runs, "e_cell.bias_ih", (b) => reshape(b, [1, -1]));
  const bySequence = reshape(transpose(speakerStates, [1, 0, 2, 3]), [runs.length, -1, partyDim]);
  const projected = transpose(
    reshape(add(matMul(bySequence, weight), bias), [runs.length, -1, batch, 3 * emotionDim]),
    [1, 0, 2, 3],
  );
  const emotions = scan({
    carry: [[runs.length, batch, emotionDim]],
    inputs: [projected],
    fixed: [masks.real, ...emotionDrop],
    products: [recurrentProduct(parameters, runs, "e_cell")],
    step: ({ carry: [e], inputs: [x], fixed: [mask, kept], product }) => {
      const state = e as Tensor;
      const next = dropped(gruState(state, x as Tensor, product(0, state)), kept);
      const moved = standing(state, next, mask as Tensor);
      return { carry: [moved], output: moved };
    },
  });
  return unstackRuns(emotions, runs, layout);
}

interface RunMasks {
  /** `[time, runs, batch, 1]`, 1 = real utterance. */
  readonly real: Tensor;
  /** `[time, runs, batch, 1]`, 1 = the first utterance that the run meets. */
  readonly first: Tensor;
  /** `[time, runs, batch, parties]`, 1 = who speaks; zeros on padding. */
  readonly speaker: Tensor;
}

function runMasks(runs: readonly Run[], { layout, speakers }: Inputs, numSpeakers: number): RunMasks {
  const { batch, time, mask } = layout;
  const real = reshape(transpose(mask), [time, batch, 1]);
  const speaker = timeMajor(oneHotRows(speakers, numSpeakers), layout);
  const inRuns = (x: Tensor) =>
    stack(
      runs.map(({ backward }) => reverseTime(x, backward)),
      1,
    );
  const realInRuns = inRuns(real);
  const shape = [time, runs.length, batch, 1];
  const before = slice(concat([zeros([1, ...shape.slice(1)]), realInRuns], 0), [0, 0, 0, 0], shape);
  return { real: realInRuns, first: sub(realInRuns, mul(realInRuns, before)), speaker: inRuns(speaker) };
}

/** The speaker's state after each utterance. `[time, runs, batch, partyDim]` */
function partyStates(
  parameters: Parameters,
  runs: readonly Run[],
  layout: Layout,
  masks: RunMasks,
  parties: number,
  drop: (site: string, width: number) => Tensor[],
  { globalDim, partyDim, listener }: StateOptions,
): Tensor {
  const { batch } = layout;
  const lead = [runs.length, batch];
  const projected = (cell: string) =>
    stack(
      runs.map((run) => projectInput(parameters, run, cell, layout)),
      1,
    );
  /** Columns of a cell's input weights that follow those of the utterance, transposed. */
  const further = (cell: string, width: number) =>
    stack(
      runs.map(({ name, x }) => {
        const weight = parameter(parameters, `${name}.${cell}.weight_ih`) as Tensor2D;
        return transpose(slice(weight, [0, x.shape[1]], [weight.shape[0], width]));
      }),
    );
  const drops = [
    ...drop("global", globalDim),
    ...drop("party", partyDim),
    ...(listener ? drop("listener", parties * partyDim) : []),
  ];
  const party = recurrentProduct(parameters, runs, "p_cell");
  const noBias = zeros([runs.length, 1, 3 * globalDim]);
  return scan({
    carry: [
      [...lead, globalDim],
      [...lead, parties, partyDim],
      [...lead, 1],
      [...lead, 1],
      [...lead, globalDim],
    ],
    inputs: [projected("g_cell"), projected("p_cell"), ...(listener ? [projected("l_cell")] : [])],
    fixed: [masks.real, masks.first, masks.speaker, ...drops],
    products: [
      // One product of the speaker's state for the global and the party cell.
      {
        weight: concat([further("g_cell", partyDim), party.weight], 2),
        bias: concat([noBias, party.bias], 2),
      },
      recurrentProduct(parameters, runs, "g_cell"),
      { weight: further("p_cell", globalDim) },
      { weight: stacked(parameters, runs, "attention.weight", transpose) },
      ...(listener ? [{ weight: further("l_cell", partyDim) }, recurrentProduct(parameters, runs, "l_cell")] : []),
    ],
    step: ({ carry, inputs: [xGlobal, xParty, xListener], fixed, product }) => {
      const [global, states, top, total, weighted] = carry as [Tensor, Tensor, Tensor, Tensor, Tensor];
      const [real, first, speaker, keptGlobal, keptParty, keptListener] = fixed;
      const speaking = expandDims(speaker as Tensor, 3); // [runs, batch, parties, 1]
      const before = sum(mul(states, speaking), 2); // [runs, batch, partyDim]
      const [toGlobal, toParty] = split(product(0, before), [3 * globalDim, 3 * partyDim], 2) as [Tensor, Tensor];
      const nextGlobal = dropped(gruState(global, add(xGlobal as Tensor, toGlobal), product(1, global)), keptGlobal);
      // total is 0 before the first utterance, where there is nothing to attend to, and at least 1 behind it
      const attended = div(weighted, maximum(total, 0.5));
      const spoken = dropped(gruState(before, add(xParty as Tensor, product(2, attended)), toParty), keptParty);
      const heard = listener ? listen(spoken) : states;
      const moved = add(heard, mul(sub(expandDims(spoken, 2), heard), speaking));

      const score = product(3, nextGlobal); // [runs, batch, 1]
      const highest = maximum(sub(top, mul(first as Tensor, 1e9)), stopGradient(score));
      const [fade, share] = [exp(minimum(sub(top, highest), 0)), exp(sub(score, highest))];
      const next: Tensor[] = [
        nextGlobal,
        moved,
        highest,
        add(mul(total, fade), share),
        add(mul(weighted, fade), mul(share, nextGlobal)),
      ];
      const realParties = expandDims(real as Tensor, 3);
      return {
        carry: next.map((value, at) => standing(carry[at] as Tensor, value, at === 1 ? realParties : (real as Tensor))),
        output: spoken,
      };

      /** The states of all parties after they heard the utterance and saw its speaker. */
      function listen(seen: Tensor): Tensor {
        const x = expandDims(add(xListener as Tensor, product(4, seen)), 2);
        const rows = product(5, reshape(states, [runs.length, batch * parties, partyDim]));
        const next = gruState(states, x, reshape(rows, [...lead, parties, 3 * partyDim]));
        return dropped(next, keptListener === undefined ? undefined : reshape(keptListener, next.shape));
      }
    },
  });
}

function dropped(x: Tensor, kept: Tensor | undefined): Tensor {
  return kept === undefined ? x : mul(x, kept);
}

/** W x + b of the utterance's part of a cell's input. `[time, batch, 3 · hiddenDim]`, in the run's order */
function projectInput(parameters: Parameters, { name, x, backward }: Run, cell: string, layout: Layout): Tensor {
  const weight = parameter(parameters, `${name}.${cell}.weight_ih`) as Tensor2D;
  const own = slice(weight, [0, 0], [weight.shape[0], x.shape[1]]);
  const projected = add(matMul(x, own, false, true), parameter(parameters, `${name}.${cell}.bias_ih`)) as Tensor2D;
  return reverseTime(timeMajor(projected, layout), backward);
}

/** `[time, runs, batch, width]` in a list, or an empty one in evaluation. Drawn by utterance, whatever the padding. */
function stateDropout(runs: readonly Run[], layout: Layout, site: string, width: number, rate: number): Tensor[] {
  if (rate === 0 || runs[0]?.sites.random === undefined) {
    return [];
  }
  const masks = runs.map(({ sites: { random }, backward }) => {
    const mask = random?.dropoutMask(site, [layout.tokens, width], rate) as Tensor2D;
    return reverseTime(timeMajor(mask, layout), backward);
  });
  return [stack(masks, 1)];
}

function stacked(parameters: Parameters, runs: readonly Run[], part: string, as: (x: Tensor) => Tensor): Tensor {
  return stack(runs.map(({ name }) => as(parameter(parameters, `${name}.${part}`))));
}

/** U h + b of a cell. */
function recurrentProduct(parameters: Parameters, runs: readonly Run[], cell: string) {
  return {
    weight: stacked(parameters, runs, `${cell}.weight_hh`, transpose),
    bias: stacked(parameters, runs, `${cell}.bias_hh`, (bias) => reshape(bias, [1, -1])),
  };
}

/** `[time, runs, batch, dim]` to `[tokens, dim]` per run. */
function unstackRuns(x: Tensor, runs: readonly Run[], layout: Layout): Tensor2D[] {
  const [time, , batch, dim] = x.shape as [number, number, number, number];
  return runs.map(({ backward }, at) => {
    const own = reshape(slice(x, [0, at, 0, 0], [time, 1, batch, dim]), [time, batch, dim]);
    return packTime(reverseTime(own, backward), layout);
  });
}
