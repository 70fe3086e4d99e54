// Learning curves: what the journals wrote while training, and the test part's scores as computed afterwards.

import { html, type Markup, trusted } from "../formats/markup.ts";
import { type CurveScales, drawLossCurve, drawScoreCurves, type MethodCurves } from "../pictures/learning-curves.ts";
import { type PredictedUtterance, readPredictions } from "../predictions/predicted-utterances.ts";
import { overSeeds, readCurves, type TrialCurves } from "../study/curves.ts";
import type { Method } from "../study/study-material.ts";
import { printedPerStored } from "../tables/comparisons.ts";
import { figure, type Gallery, numbersTable, rounded, type Section, tabs } from "./blocks.ts";
import { leftOut, seedsText } from "./score-sections.ts";
import type { ShownBlock } from "./scores-of-block.ts";

/** Behind the curves of a method stand those of the others, unless they are so many that nothing could be seen. */
const MOST_GHOSTS = 12;

export async function curveSection(blocks: readonly ShownBlock[], gallery: Gallery): Promise<Section | undefined> {
  const panels: { label: string; body: Markup }[] = [];
  for (const block of blocks) {
    const body = await curvePanel(block, gallery);
    if (body !== undefined) {
      panels.push({ label: block.dataset, body });
    }
  }
  return panels.length === 0
    ? undefined
    : {
        id: "curves",
        title: "Learning curves",
        body: html`<p class="lead">Scores above, training loss below: means over seeds, bands from the lowest to the highest seed. The curve of the test part was computed after training had ended; it chose nothing.</p>${LEGEND}${tabs("Data set", panels)}`,
      };
}

const sample = (line: string) =>
  trusted(`<svg width="26" height="10" viewBox="0 0 26 10" aria-hidden="true">${line}</svg>`);

const LEGEND = html`<p class="legend"><span>${sample('<line x1="0" x2="26" y1="5" y2="5" stroke="var(--first)" stroke-width="2"/>')}validation</span><span>${sample('<line x1="0" x2="26" y1="5" y2="5" stroke="var(--second)" stroke-width="2" stroke-dasharray="4,3"/>')}test, opened after training</span><span>${sample('<circle cx="13" cy="5" r="3.5" fill="var(--paper)" stroke="var(--first)" stroke-width="2"/>')}chosen epoch of a seed</span><span>${sample('<line x1="0" x2="26" y1="5" y2="5" stroke="var(--ghost)" stroke-width="1.5"/>')}validation of the other methods</span></p>`;

async function curvePanel(block: ShownBlock, gallery: Gallery): Promise<Markup | undefined> {
  const { dataset, metric, metricLabel, shown } = block;
  const unit = printedPerStored(metric);
  const truth = await truthOf(block);
  const curves = shown.map((method) => methodCurves(method, block, truth, unit));
  const scales = scalesOf(curves, metricLabel);
  if (scales === undefined) {
    return undefined;
  }
  const figures = curves.map((each, place) => {
    const others = curves.length > MOST_GHOSTS ? [] : curves.filter((_, at) => at !== place).map(({ valid }) => valid);
    const count = Math.max(0, ...each.valid.map(({ n }) => n));
    const epochs = Array.from({ length: Math.max(each.valid.length, each.loss.length) }, (_, at) => at + 1);
    const at = (points: MethodCurves["valid"], epoch: number) => points.find((point) => point.epoch === epoch);
    const numbers = numbersTable(
      ["epoch", "loss", "validation", "lowest", "highest", "test"],
      epochs.map((epoch) => [
        epoch,
        rounded(at(each.loss, epoch)?.mean, 4),
        rounded(at(each.valid, epoch)?.mean),
        rounded(at(each.valid, epoch)?.low),
        rounded(at(each.valid, epoch)?.high),
        rounded(at(each.test, epoch)?.mean),
      ]),
      `Learning curves of ${each.label} on ${dataset}`,
    );
    return figure(
      html`${each.label} <span class="aside">${metricLabel} and loss, ${seedsText(count)}</span>`,
      [
        gallery.add([dataset, "curves", each.label], drawScoreCurves(each, scales, others, dataset)),
        gallery.add([dataset, "loss", each.label], drawLossCurve(each, scales, dataset)),
      ],
      numbers,
    );
  });
  return html`<div class="pictures">${figures}</div>${leftOut(block)}`;
}

function methodCurves(
  method: Method,
  { metric, task }: ShownBlock,
  truth: readonly PredictedUtterance[] | undefined,
  unit: number,
): MethodCurves {
  const curves = method.trials.flatMap((trial) => readCurves(trial, metric, task, truth) ?? []);
  const scaled = (pick: (each: TrialCurves) => readonly number[] | undefined) =>
    overSeeds(curves.flatMap((each) => [(pick(each) ?? []).map((value) => value * unit)]));
  return {
    label: method.label,
    loss: overSeeds(curves.map(({ loss }) => loss)),
    valid: scaled(({ valid }) => valid),
    test: scaled(({ test }) => test),
    selected: curves.flatMap(({ selected, valid }) => {
      const value = selected === undefined ? undefined : valid[selected - 1];
      return selected === undefined || value === undefined || !Number.isFinite(value)
        ? []
        : [{ epoch: selected, value: value * unit }];
    }),
  };
}

/** Labels of the test part; the same in every trial on the same data. */
async function truthOf({ methods, task }: ShownBlock): Promise<PredictedUtterance[] | undefined> {
  const trial = methods.flatMap(({ trials }) => trials).find(({ result }) => result !== undefined);
  return readPredictions(trial?.folder, task);
}

function scalesOf(curves: readonly MethodCurves[], scoreLabel: string): CurveScales | undefined {
  const scores = curves.flatMap(({ valid, test }) => [...valid, ...test]).flatMap(({ low, high }) => [low, high]);
  const losses = curves.flatMap(({ loss }) => loss).flatMap(({ low, high }) => [low, high]);
  const epochs = Math.max(0, ...curves.flatMap(({ valid, loss }) => [valid.length, loss.length]));
  return epochs === 0 ? undefined : { epochs, score: range(scores), loss: range(losses), scoreLabel };
}

function range(values: readonly number[]): [number, number] {
  const [low, high] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ] as [number, number]);
  const pad = (high - low) * 0.04 || 0.5;
  return Number.isFinite(low) ? [low - pad, high + pad] : [0, 1];
}
