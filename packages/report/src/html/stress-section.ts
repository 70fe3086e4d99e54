// Modality stress, where `exp stress` has measured it: what is left of the scores on disturbed test parts.
import type { Condition, StressedScores, StressFile } from "@merclab/runner";
import { readStress } from "@merclab/runner";
import { html, type Markup } from "../formats/markup.ts";
import { drawStressLines, drawStressSheet, type SheetRow, type StressLine } from "../pictures/stress.ts";
import { printedPerStored } from "../tables/comparisons.ts";
import { figure, type Gallery, listed, numbersTable, rounded, type Section, tabs } from "./blocks.ts";
import type { ShownBlock } from "./scores-of-block.ts";

interface StressedMethod {
  readonly method: string;
  /** Of each condition, by its name, the mean over seeds in the unit that is printed. */
  readonly scores: ReadonlyMap<string, number>;
  readonly conditions: readonly Condition[];
  readonly seeds: number;
  readonly robustness: readonly (number | null)[];
}

/** @returns what takes its place, one line, where nothing was measured */
export async function stressSection(
  blocks: readonly ShownBlock[],
  gallery: Gallery,
  experiment: string,
): Promise<Section | undefined> {
  const panels: { label: string; body: Markup }[] = [];
  for (const block of blocks) {
    const stressed = await stressedMethods(block);
    if (stressed.length > 0) {
      panels.push({ label: block.dataset, body: stressPanel(block, stressed, gallery) });
    }
  }
  const body =
    panels.length === 0
      ? html`<p class="lead">No run was measured on disturbed data yet. To fill this section: <code>exp stress ${experiment}</code></p>`
      : html`<p class="lead">Trained models on disturbed test parts: modalities left out, missing at random, noisy, or dealt to other utterances. Means over draws and seeds.</p>${tabs("Data set", panels)}`;
  return blocks.length === 0 ? undefined : { id: "stress", title: "Stress", body };
}

async function stressedMethods({ shown, metric }: ShownBlock): Promise<StressedMethod[]> {
  const unit = printedPerStored(metric);
  const methods: StressedMethod[] = [];
  for (const { label, trials } of shown) {
    const files: StressFile[] = [];
    for (const { folder, result } of trials) {
      const file = folder === undefined || result === undefined ? undefined : await readStress(folder);
      if (file !== undefined) {
        files.push(file);
      }
    }
    const [first] = files;
    if (first !== undefined) {
      methods.push({
        method: label,
        conditions: first.conditions,
        scores: meanScores(files, metric, unit),
        seeds: files.length,
        robustness: files.map(({ summary }) => summary.value),
      });
    }
  }
  return methods;
}

/** Conditions that every seed has. */
function meanScores(files: readonly StressFile[], metric: string, unit: number): Map<string, number> {
  const byName = files.map(
    ({ conditions }) =>
      new Map(conditions.map((each: StressedScores) => [conditionName(each), each.mean[metric] ?? Number.NaN])),
  );
  const names = [...(byName[0]?.keys() ?? [])];
  return new Map(
    names.flatMap((name): [string, number][] => {
      const values = byName.map((each) => each.get(name) ?? Number.NaN);
      const mean = (unit * values.reduce((sum, value) => sum + value, 0)) / values.length;
      return Number.isFinite(mean) ? [[name, mean]] : [];
    }),
  );
}

function conditionName(condition: Condition): string {
  switch (condition.kind) {
    case "subset":
      return listed(condition.modalities);
    case "missing":
      return `missing at rate ${condition.rate}`;
    case "noise":
      return `noise on ${listed(condition.modalities)} at ${condition.level}`;
    case "shuffled":
      return `${condition.modality} shuffled`;
  }
}

function stressPanel(block: ShownBlock, methods: readonly StressedMethod[], gallery: Gallery): Markup {
  const { dataset, metricLabel } = block;
  const all = methods.flatMap(({ scores }) => [...scores.values()]);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const domain = [low - 0.04 * (high - low || 1), high + 0.04 * (high - low || 1)] as const;
  const conditions = uniqueBy(
    methods.flatMap((each) => each.conditions),
    conditionName,
  );
  const sheet = conditions.filter(({ kind }) => kind === "subset" || kind === "shuffled");
  const rows = sheet.map(
    (condition): SheetRow => ({
      name: sheetName(condition),
      scores: methods.map(({ scores }) => scores.get(conditionName(condition))),
    }),
  );
  const noisy = [...new Set(conditions.filter(({ kind }) => kind === "noise").map(noisySet))];
  const lineFigures = [
    lineFigure(
      "Missing at random",
      "share of rows that is missing",
      methods,
      conditions.flatMap((each) => (each.kind === "missing" ? [{ x: each.rate, name: conditionName(each) }] : [])),
      [dataset, "stress", "missing"],
    ),
    ...noisy.map((set) =>
      lineFigure(
        `Noise on ${set}`,
        "noise, in standard deviations of the features",
        methods,
        [
          ...conditions.slice(0, 1).map((clean) => ({ x: 0, name: conditionName(clean) })),
          ...conditions.flatMap((each) =>
            each.kind === "noise" && listed(each.modalities) === set
              ? [{ x: each.level, name: conditionName(each) }]
              : [],
          ),
        ],
        [dataset, "stress", "noise", set],
      ),
    ),
  ];
  function lineFigure(
    head: string,
    xLabel: string,
    of: readonly StressedMethod[],
    points: readonly { readonly x: number; readonly name: string }[],
    words: readonly string[],
  ): Markup | undefined {
    const lines = of
      .map(
        ({ method, scores }): StressLine => ({
          method,
          points: points.flatMap(({ x, name }) => {
            const y = scores.get(name);
            return y === undefined ? [] : [{ x, y }];
          }),
        }),
      )
      .filter(({ points: own }) => own.length > 1);
    if (lines.length === 0) {
      return undefined;
    }
    const drawing = drawStressLines(`${metricLabel} on ${dataset}: ${head}`, xLabel, lines, domain);
    const numbers = numbersTable(
      [xLabel, ...lines.map(({ method }) => method)],
      points.map(({ x }) => [x, ...lines.map((each) => rounded(each.points.find((point) => point.x === x)?.y))]),
      head,
    );
    return figure(html`${head} <span class="aside">${metricLabel}</span>`, [gallery.add(words, drawing)], numbers);
  }
  const names = methods.map(({ method }) => method);
  const sheetFigure = figure(
    html`Modalities left, and shuffled <span class="aside">${metricLabel}</span>`,
    [
      html`<div class="wide" role="region" tabindex="0" aria-label="Modalities left, and shuffled">${gallery.add(
        [dataset, "stress", "modalities"],
        drawStressSheet(`${metricLabel} on ${dataset} with some modalities`, names, rows),
      )}</div>`,
    ],
    numbersTable(
      ["condition", ...names],
      rows.map(({ name, scores }) => [name, ...scores.map((score) => rounded(score))]),
      "Modalities left, and shuffled",
    ),
  );
  return html`<div class="pictures">${sheetFigure}${lineFigures}</div><p class="note caption">${robustnessText(methods)}</p>`;
}

function robustnessText(methods: readonly StressedMethod[]): string {
  const told = methods.map(({ method, robustness }) => {
    const values = robustness.filter((value) => value !== null);
    return values.length < robustness.length
      ? `${method} none (no better than a constant prediction)`
      : `${method} ${(values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(3)}`;
  });
  return `Robustness, the share of what the model knows that is left on average over missing rates: ${listed(told)}.`;
}

function sheetName(condition: Condition): string {
  return condition.kind === "subset" ? condition.modalities.join(" + ") : conditionName(condition);
}

function noisySet(condition: Condition): string {
  return condition.kind === "noise" ? listed(condition.modalities) : "";
}

/** The first of each name. */
function uniqueBy<T>(values: readonly T[], nameOf: (value: T) => string): T[] {
  const seen = new Set<string>();
  return values.filter((value) => {
    const name = nameOf(value);
    const isNew = !seen.has(name);
    seen.add(name);
    return isNew;
  });
}
