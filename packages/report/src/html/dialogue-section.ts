// A few dialogues of the test part, utterance by utterance: who spoke, what was right, what each method predicted, and
// the gates or the attention of fusions that show some. The utterances' texts are not shown: their licences forbid it.
import { outputNames } from "@merclab/core";
import { SHOWN_DIALOGUES, type ShownTrial } from "@merclab/runner";
import { html, type Markup } from "../formats/markup.ts";
import { drawAttention, drawGates, drawLanes, type GateTrack, type Lane, type LaneCell } from "../pictures/dialogue.ts";
import { SERIES } from "../pictures/draw.ts";
import type { Speakers } from "../predictions/flips.ts";
import { type PredictedUtterance, readPredictions } from "../predictions/predicted-utterances.ts";
import type { Method, StudyTrial } from "../study/study-material.ts";
import { groupBy } from "../tables/group-by.ts";
import { type Gallery, listed, numbersTable, rounded, type Section, tabs } from "./blocks.ts";
import type { SpeakerSource } from "./flip-section.ts";
import type { ShownBlock } from "./scores-of-block.ts";

/** Gates and attention of a trial; undefined where they cannot be had. */
export type ShownSource = (trial: StudyTrial) => Promise<ShownTrial | undefined>;

/** More lanes than this are no comparison any more. */
const MOST_LANES = 8;

export async function dialogueSection(
  blocks: readonly ShownBlock[],
  gallery: Gallery,
  speakersOf: SpeakerSource,
  shownOf: ShownSource,
): Promise<Section | undefined> {
  const panels: { label: string; body: Markup }[] = [];
  for (const block of blocks.filter(({ task }) => task.type === "single-label")) {
    const body = await dialoguePanel(block, gallery, speakersOf, shownOf);
    if (body !== undefined) {
      panels.push({ label: block.dataset, body });
    }
  }
  return panels.length === 0
    ? undefined
    : {
        id: "dialogues",
        title: "Dialogues",
        body: html`<p class="lead">The longest test dialogues of at most ${SHOWN_DIALOGUES.utterances} utterances, picked without a look at their labels, as the runs with the lowest seed predicted them. Gates and attention are those of the epoch that validation chose.</p>${tabs("Data set", panels)}`,
      };
}

interface Contender {
  readonly method: Method;
  readonly trial: StudyTrial;
  readonly predictions: readonly PredictedUtterance[];
  readonly shown: ShownTrial | undefined;
}

async function dialoguePanel(
  block: ShownBlock,
  gallery: Gallery,
  speakersOf: SpeakerSource,
  shownOf: ShownSource,
): Promise<Markup | undefined> {
  const best = new Set(block.ranked.slice(0, MOST_LANES));
  const contenders: Contender[] = [];
  for (const method of block.shown.filter((each) => best.has(each))) {
    const trial = method.trials.find(({ result }) => result !== undefined);
    const predictions = await readPredictions(trial?.folder, block.task);
    if (trial !== undefined && predictions !== undefined) {
      contenders.push({ method, trial, predictions, shown: await shownOf(trial) });
    }
  }
  const [first] = contenders;
  if (first === undefined) {
    return undefined;
  }
  const speakers = await speakersOf(first.trial);
  const dialogues = [...groupBy(first.predictions, ({ dialogue }) => dialogue)]
    .filter(([, utterances]) => utterances.length > 1 && utterances.length <= SHOWN_DIALOGUES.utterances)
    .map(([id, utterances], at) => ({ id, length: utterances.length, at }))
    .sort((a, b) => b.length - a.length || a.at - b.at)
    .slice(0, SHOWN_DIALOGUES.count);
  if (dialogues.length === 0) {
    return html`<p class="note">Every test dialogue has more than ${SHOWN_DIALOGUES.utterances} utterances or only one.</p>`;
  }
  const codes = shortNames(outputNames(block.task));
  const key = html`<p class="legend">${[...codes].map(([name, code]) => html`<span><b>${code}</b>${name}</span>`)}<span>${swatch("first", 0.28)}right</span><span>${swatch("second", 0.34)}wrong</span></p>`;
  // Maps of who attends to whom are large: one dialogue has to do.
  const figures = dialogues.map(({ id }, at) =>
    dialogueMarkup({ id, withMaps: at === 0 }, contenders, block, gallery, speakers, codes),
  );
  const silent = contenders.filter(({ shown }) => shown === undefined).map(({ method }) => method.label);
  return html`${key}${figures}${
    silent.length === 0
      ? undefined
      : html`<p class="note caption">No gates of ${listed(silent)}: they are computed from stored weights and the data, which are not there. Runs of this version keep their weights; train the study again in another folder (--runs DIR) to see them.</p>`
  }`;
}

function dialogueMarkup(
  { id, withMaps }: { readonly id: string; readonly withMaps: boolean },
  contenders: readonly Contender[],
  { dataset }: ShownBlock,
  gallery: Gallery,
  speakers: Speakers | undefined,
  codes: ReadonlyMap<string, string>,
): Markup {
  const runs = contenders.map(({ predictions }) => predictions.filter(({ dialogue }) => dialogue === id));
  const truth = runs[0] ?? [];
  const code = (name: string) => codes.get(name) ?? name.slice(0, 2);
  const spoke = speakers?.get(id);
  const order = [...new Set(spoke ?? [])];
  const lanes: Lane[] = [
    ...(spoke === undefined
      ? []
      : [
          {
            name: "speaker",
            cells: spoke.map((speaker): LaneCell => {
              const place = order.indexOf(speaker);
              return { short: String.fromCharCode(65 + (place % 26)), kind: place % 2 === 0 ? "even" : "odd" };
            }),
          },
        ]),
    { name: "label", cells: truth.map(({ label }): LaneCell => ({ short: code(label), kind: "truth" })) },
    ...contenders.map(({ method }, at) => ({
      name: method.label,
      cells: (runs[at] ?? []).map(
        ({ label, predicted }): LaneCell => ({ short: code(predicted), kind: label === predicted ? "right" : "wrong" }),
      ),
    })),
  ];
  const rights = contenders.map(({ method }, at) => {
    const count = (runs[at] ?? []).filter(({ label, predicted }) => label === predicted).length;
    return `${method.label} ${count}`;
  });
  const sheet = drawLanes(
    `Dialogue ${id} of ${dataset}, utterance by utterance`,
    `${truth.length} utterances; right: ${rights.join(", ")}.`,
    lanes,
  );
  const numbers = numbersTable(
    [
      "turn",
      "utterance",
      ...(spoke === undefined ? [] : ["speaker"]),
      "label",
      ...contenders.map(({ method }) => method.label),
    ],
    truth.map((each, at) => [
      each.turn,
      each.utterance,
      ...(spoke === undefined ? [] : [spoke[at]]),
      each.label,
      ...runs.map((run) => probable(run[at])),
    ]),
    `Predictions of dialogue ${id}`,
  );
  const shows = contenders.flatMap((contender) => {
    const arrays = contender.shown?.dialogues.find((dialogue) => dialogue.id === id)?.arrays;
    return arrays === undefined
      ? []
      : [
          showsMarkup(
            contender.method.label,
            arrays,
            { id, withMaps, names: lanes.map(({ name }) => name) },
            dataset,
            gallery,
          ),
        ];
  });
  return html`<figure class="dialogue"><figcaption><h4>${id} <span class="aside">${truth.length} utterances; right of them: ${rights.join(", ")}</span></h4></figcaption><div class="wide" role="region" tabindex="0" aria-label="Dialogue ${id}">${gallery.add([dataset, "dialogue", id], sheet)}</div><details class="numbers"><summary>Numbers</summary>${numbers}</details></figure>${shows}`;
}

/** "sad 0.61" */
function probable(utterance: PredictedUtterance | undefined): string | undefined {
  return utterance === undefined
    ? undefined
    : `${utterance.predicted} ${Math.max(...utterance.probabilities).toFixed(2)}`;
}

function showsMarkup(
  label: string,
  arrays: ShownTrial["dialogues"][number]["arrays"],
  { id, withMaps, names }: { readonly id: string; readonly withMaps: boolean; readonly names: readonly string[] },
  dataset: string,
  gallery: Gallery,
): Markup {
  const entries = Object.entries(arrays);
  const gates = entries
    .filter(([name, { shape }]) => shape.length === 1 && name.startsWith("gate."))
    .map(([name, { data }]): GateTrack => ({ name: name.slice("gate.".length), values: [...data] }));
  const maps = withMaps ? entries.filter(([, { shape }]) => shape.length === 2) : [];
  return html`${gates.length === 0 ? undefined : gatesMarkup(label, gates, { id, names }, dataset, gallery)}${
    maps.length === 0
      ? undefined
      : html`<figure class="dialogue"><figcaption><h4>Attention of ${label} <span class="aside">along ${id}; blue adds, orange takes away</span></h4></figcaption><div class="pictures">${maps.map(
          ([name, { shape, data }]) => {
            const width = shape[1] ?? 1;
            const rows = Array.from({ length: shape[0] ?? 0 }, (_, row) => [
              ...data.subarray(row * width, (row + 1) * width),
            ]);
            const [, query, memory] = name.split(".");
            const title = `Attention of ${label} from ${query ?? ""} to ${memory ?? ""} along ${id}`;
            const strongest = Math.max(...rows.flat().map(Math.abs));
            const drawing = drawAttention(title, `The strongest weight is ${strongest.toPrecision(3)} in size.`, rows);
            return html`<div><p class="note">${query ?? name} to ${memory ?? ""}</p>${gallery.add([dataset, "attention", label, name, id], drawing)}</div>`;
          },
        )}</div></figure>`
  }`;
}

function gatesMarkup(
  label: string,
  gates: readonly GateTrack[],
  { id, names }: { readonly id: string; readonly names: readonly string[] },
  dataset: string,
  gallery: Gallery,
): Markup {
  const means = gates.map(({ name, values }) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
    return `${readable(name)} ${mean.toFixed(2)}`;
  });
  const drawing = drawGates(
    `Gates of ${label} along dialogue ${id} of ${dataset}`,
    `Mean over features and utterances: ${means.join(", ")}.`,
    gates,
    names,
  );
  const key = gates.map(
    ({ name }, at) => html`<span>${swatch(`series-${(at % SERIES.length) + 1}`, 0.8)}${readable(name)}</span>`,
  );
  const numbers = numbersTable(
    ["turn", ...gates.map(({ name }) => readable(name))],
    (gates[0]?.values ?? []).map((_, at) => [at + 1, ...gates.map(({ values }) => rounded(values[at], 3))]),
    `Gates of ${label} along ${id}`,
  );
  return html`<figure class="dialogue"><figcaption><h4>Gates of ${label} <span class="aside">along ${id}, mean over features</span></h4><p class="legend">${key}</p></figcaption><div class="wide" role="region" tabindex="0" aria-label="Gates of ${label} along ${id}">${gallery.add([dataset, "gates", label, id], drawing)}</div><details class="numbers"><summary>Numbers</summary>${numbers}</details></figure>`;
}

/** "text.audio" is how much of audio goes to text. */
function readable(name: string): string {
  const [to, from] = name.split(".");
  return from === undefined ? name : `${from} to ${to ?? ""}`;
}

function swatch(color: string, opacity: number): Markup {
  return html`<svg width="12" height="12" aria-hidden="true"><rect width="12" height="12" rx="2" fill="var(--${color})" fill-opacity="${opacity}"/></svg>`;
}

/** Two letters that tell classes apart: "ha" and "sa"; longer where two letters do not. */
export function shortNames(names: readonly string[]): Map<string, string> {
  const length = [2, 3].find((most) => new Set(names.map((name) => name.slice(0, most))).size === names.length);
  return new Map(
    names.map((name, at) => [name, length === undefined ? String(at + 1) : name.slice(0, length)] as const),
  );
}
