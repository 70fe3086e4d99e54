// Sections that results alone fill: scores per class, confusion matrices, cost against quality.
import { outputNames } from "@merclab/core";
import { describeValues, type Statistics } from "../aggregate/statistics.ts";
import { html, type Markup } from "../formats/markup.ts";
import { drawClassBars } from "../pictures/class-bars.ts";
import { drawConfusion } from "../pictures/confusion.ts";
import { drawCostQuality, type PricedMethod } from "../pictures/cost-quality.ts";
import type { Method, StudyTrial } from "../study/study-material.ts";
import { figure, type Gallery, numbersTable, rounded, type Section, tabs } from "./blocks.ts";
import { MOST_METHODS, methodScore, type ShownBlock } from "./scores-of-block.ts";

export function classSection(blocks: readonly ShownBlock[], gallery: Gallery): Section | undefined {
  const panels = blocks
    .filter(({ task }) => task.type !== "regression")
    .map((block) => ({ label: block.dataset, body: classPanel(block, gallery) }));
  return panels.length === 0
    ? undefined
    : {
        id: "classes",
        title: "Per class",
        body: html`<p class="lead">F1 of each class in per cent, mean over seeds, at the epoch that validation chose. Lines are 95 % intervals of the mean (Student's t), which few seeds make wide.</p>${tabs("Data set", panels)}`,
      };
}

function classPanel(block: ShownBlock, gallery: Gallery): Markup {
  const { task, dataset, shown } = block;
  const figures = outputNames(task).map((name, place) => {
    const bars = shown.map((method) => ({ method: method.label, score: classScore(method, place) }));
    const support = resultsOf(shown)[0]?.test.validSelected.perClass[place]?.support ?? 0;
    const numbers = numbersTable(
      ["method", "F1 (%)", "sd", "95 % from", "to", "seeds"],
      bars.map(({ method, score }) => [
        method,
        rounded(score.mean),
        rounded(score.sd),
        rounded(score.interval?.low),
        rounded(score.interval?.high),
        score.n,
      ]),
      `Scores of the class ${name}`,
    );
    return figure(
      html`${name} <span class="aside">${support.toLocaleString("en-US")} test utterances</span>`,
      [gallery.add([dataset, "class", name], drawClassBars(name, bars, dataset))],
      numbers,
    );
  });
  return html`<div class="pictures">${figures}</div>${leftOut(block)}`;
}

function classScore({ trials }: Method, place: number): Statistics {
  return describeValues(
    trials.flatMap(({ result }) => {
      const f1 = result?.test.validSelected.perClass[place]?.f1;
      return f1 === undefined || !Number.isFinite(f1) ? [] : [100 * f1];
    }),
  );
}

export function confusionSection(blocks: readonly ShownBlock[], gallery: Gallery): Section | undefined {
  const panels = blocks
    .filter(({ task }) => task.type === "single-label")
    .map((block) => ({ label: block.dataset, body: confusionPanel(block, gallery) }));
  return panels.length === 0
    ? undefined
    : {
        id: "confusion",
        title: "Confusion",
        body: html`<p class="lead">Rows are the labels, columns what was predicted. Large figures are per cent of the row, small ones utterances, mean over seeds.</p>${tabs("Data set", panels)}`,
      };
}

function confusionPanel(block: ShownBlock, gallery: Gallery): Markup {
  const classes = outputNames(block.task);
  const figures = block.shown.flatMap((method) => {
    const matrices = resultsOf([method]).map(({ test }) => test.validSelected.confusion);
    if (matrices.length === 0) {
      return [];
    }
    const counts = classes.map((_, truth) =>
      classes.map((__, predicted) => matrices.reduce((sum, each) => sum + (each[truth]?.[predicted] ?? 0), 0)),
    );
    const numbers = numbersTable(
      ["label", ...classes],
      counts.map((row, truth) => [classes[truth], ...row.map((count) => rounded(count / matrices.length, 1))]),
      `Confusion of ${method.label} on ${block.dataset}, mean number of utterances`,
    );
    const drawing = drawConfusion(method.label, counts, matrices.length, classes, block.dataset);
    return [
      figure(
        html`${method.label} <span class="aside">${seedsText(matrices.length)}</span>`,
        [gallery.add([block.dataset, "confusion", method.label], drawing)],
        numbers,
      ),
    ];
  });
  return html`<div class="pictures">${figures}</div>${leftOut(block)}`;
}

/** What a method costs, in one number per trial. */
const COSTS = [
  {
    label: "trainable parameters",
    file: "parameters",
    read: ({ spec, result }: StudyTrial) => (result ?? spec).parameters.trainable,
  },
  {
    label: "MFLOP an utterance, forward",
    file: "flops",
    read: ({ result }: StudyTrial) =>
      result?.cost !== undefined && "utterance" in result.cost ? result.cost.utterance.products / 1e6 : undefined,
  },
  { label: "seconds of training", file: "seconds", read: ({ result }: StudyTrial) => result?.seconds },
] as const;

export function costSection(blocks: readonly ShownBlock[], gallery: Gallery): Section | undefined {
  const panels = blocks
    .filter(({ ranked }) => ranked.length > 0)
    .map((block) => ({ label: block.dataset, body: costPanel(block, gallery) }));
  return panels.length === 0
    ? undefined
    : {
        id: "cost",
        title: "Cost",
        body: html`<p class="lead">Score against what a method costs, on a logarithmic scale. Filled dots: nothing that is cheaper scores as well; lines are 95 % intervals of the mean, cut where the picture ends. Seconds depend on the machine and on what else it did.</p>${tabs("Data set", panels)}`,
      };
}

function costPanel(block: ShownBlock, gallery: Gallery): Markup {
  const { dataset, metric, metricLabel, higherIsBetter, shown } = block;
  const figures = COSTS.flatMap(({ label, file, read }) => {
    const methods = shown.flatMap((method): PricedMethod[] => {
      const costs = method.trials.flatMap((trial) => read(trial) ?? []).filter((cost) => cost > 0);
      const score = methodScore(method, metric);
      return costs.length === 0 || score.mean === undefined
        ? []
        : [{ method: method.label, cost: costs.reduce((sum, each) => sum + each, 0) / costs.length, score }];
    });
    if (methods.length === 0) {
      return [];
    }
    const numbers = numbersTable(
      ["method", label, metricLabel, "95 % from", "to"],
      methods.map(({ method, cost, score }) => [
        method,
        rounded(cost, cost < 1000 ? 2 : 0),
        rounded(score.mean),
        rounded(score.interval?.low),
        rounded(score.interval?.high),
      ]),
      `${metricLabel} against ${label} on ${dataset}`,
    );
    return [
      figure(
        html`${metricLabel} <span class="aside">against ${label}</span>`,
        [gallery.add([dataset, "cost", file], drawCostQuality(methods, label, metricLabel, higherIsBetter, dataset))],
        numbers,
      ),
    ];
  });
  return html`<div class="pictures">${figures}</div>${leftOut(block)}`;
}

function resultsOf(methods: readonly Method[]) {
  return methods.flatMap(({ trials }) => trials.flatMap(({ result }) => result ?? []));
}

export function seedsText(count: number): string {
  return count === 1 ? "one seed" : `${count} seeds`;
}

/** Says what has no picture. */
export function leftOut({ methods, shown, metricLabel }: ShownBlock): Markup | undefined {
  return methods.length === shown.length
    ? undefined
    : html`<p class="note caption">Pictures show the ${MOST_METHODS} of ${methods.length} methods with the best mean ${metricLabel}; the tables have all.</p>`;
}
