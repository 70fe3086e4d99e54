// Plain aligned text. A table that is wider than the terminal is cut between metrics into panels that repeat the row
// labels and the number of seeds. Colour is the caller's.
import type { Table, TableColumn } from "../tables/table.ts";
import { type CellText, cellText, columnBlocks, columnHead, metricHead } from "./cell-text.ts";
import { centre, padEnd, padStart, textWidth, wrap } from "./text-layout.ts";

const GAP = "  ";

/** One printed column, every text as it is before padding. */
interface Strip {
  /** From top to bottom. */
  readonly heads: readonly string[];
  readonly lines: readonly string[];
  readonly align: "left" | "right";
  /** Of the widest text: measured once, since it is needed at every line. */
  readonly width: number;
}

/** Columns that stay together under the head of a metric. */
interface Block {
  readonly group: string;
  readonly metric: string;
  readonly strips: readonly Strip[];
  readonly width: number;
  /** The number of seeds, which every panel repeats. */
  readonly isCount?: boolean;
}

/** @param width in characters; a single column may still exceed it */
export function formatTerminal(table: Table, width = 100): string {
  const parts = [table.title];
  if (table.rows.length > 0) {
    parts.push(...panelsOf(table, width));
  }
  parts.push(wrap(table.caption, width).join("\n"));
  if (table.notes.length > 0) {
    parts.push(table.notes.map(({ mark, text }) => noteLines(mark, text, width)).join("\n"));
  }
  return `${parts.join("\n\n")}\n`;
}

function panelsOf(table: Table, width: number): string[] {
  const labels = labelStrips(table, Math.floor(width / 2));
  const stub = createBlock("", "", labels.strips);
  const blocks = columnBlocks(table).map((indices): Block => {
    const columns = indices.flatMap((index) => {
      const column = table.columns[index];
      return column === undefined ? [] : [{ column, index }];
    });
    const first = columns[0]?.column;
    const strips = columns.map(({ column, index }) => columnStrip(table, column, index, labels.heights));
    const block = createBlock(first?.groupLabel ?? "", first === undefined ? "" : metricHead(first), strips);
    return first?.kind === "n" ? { ...block, isCount: true } : block;
  });
  const panels = splitIntoPanels(blocks, width - stub.width);
  return panels.map((panel) => printPanel(stub, panel, labels.heights));
}

/** Cuts between blocks, and before a group that does not fit whole; each panel repeats its group's number of seeds. */
function splitIntoPanels(blocks: readonly Block[], width: number): Block[][] {
  const panels: Block[][] = [[]];
  const widthOf = (some: readonly Block[]) => some.reduce((sum, block) => sum + GAP.length + block.width, 0);
  blocks.forEach((block, index) => {
    const panel = panels.at(-1) ?? [];
    const startsGroup = blocks[index - 1]?.group !== block.group;
    const whole = startsGroup ? blocks.filter((each) => each.group === block.group) : [block];
    if (panel.length === 0 || widthOf([...panel, ...whole]) <= width) {
      panel.push(block);
    } else {
      const count = blocks.filter((each) => each.isCount && each.group === block.group && each !== block);
      panels.push([...count, block]);
    }
  });
  return panels;
}

/** Labels that equal the one above are left empty; long ones go over several lines. */
function labelStrips(table: Table, width: number): { strips: Strip[]; heights: number[] } {
  const limit = Math.max(12, Math.floor(width / Math.max(1, table.rowHeads.length)));
  const wrapped = table.rows.map((row) => row.labels.map((label) => wrap(label, limit)));
  const heights = wrapped.map((labels) => Math.max(1, ...labels.map((lines) => lines.length)));
  const strips = table.rowHeads.map((head, index): Strip => {
    const lines = wrapped.flatMap((labels, row) => {
      const before = table.rows[row - 1]?.labels.slice(0, index + 1).join("\n");
      const isLast = index === table.rowHeads.length - 1;
      const repeats = !isLast && before === table.rows[row]?.labels.slice(0, index + 1).join("\n");
      return fill(repeats ? [] : (labels[index] ?? []), heights[row] ?? 1);
    });
    return createStrip([head, ""], lines, "left");
  });
  return { strips, heights };
}

function columnStrip(table: Table, column: TableColumn, index: number, heights: readonly number[]): Strip {
  const texts = table.cells.flatMap((row) => {
    const cell = row[index];
    return cell === undefined ? [] : [cellText(column, cell)];
  });
  const { label, remark } = columnHead(column);
  const lines = alignParts(texts).flatMap((text, row) => fill([text], heights[row] ?? 1));
  return createStrip([label, remark], lines, "right");
}

/** "74.08 ± 0.51 [a]" with values, spreads and marks under one another. */
function alignParts(texts: readonly CellText[]): string[] {
  const marks = texts.map((text) => (text.marks.length === 0 ? "" : ` [${text.marks.join(",")}]`));
  const numbers = texts.filter((text) => text.spread !== "");
  const valueWidth = Math.max(0, ...numbers.map((text) => text.value.length));
  const spreadWidth = Math.max(0, ...numbers.map((text) => text.spread.length));
  const bodies = texts.map(({ value, spread }) =>
    spread === "" ? value : `${value.padStart(valueWidth)} ± ${spread.padStart(spreadWidth)}`,
  );
  const bodyWidth = Math.max(0, ...bodies.map((body) => textWidth(body)));
  const markWidth = Math.max(0, ...marks.map((mark) => mark.length));
  // A value without spread stands under the values that have one.
  const tail = spreadWidth === 0 ? 0 : spreadWidth + 3;
  return bodies.map((body, index) => {
    const isPlainNumber = texts[index]?.spread === "" && /^[+-]?[\d.,]+$/.test(body);
    const placed = isPlainNumber ? body.padStart(bodyWidth - tail) : body;
    const padded = isPlainNumber ? padEnd(placed, bodyWidth) : padStart(placed, bodyWidth);
    return padded + (marks[index] ?? "").padEnd(markWidth);
  });
}

function printPanel(stub: Block, panel: readonly Block[], heights: readonly number[]): string {
  const blocks = [stub, ...panel];
  const height = heights.reduce((sum, each) => sum + each, 0);
  const groups = joinGroups(panel);
  const lines: string[] = [];
  if (groups.some(({ label }) => label !== "")) {
    const cells = groups.map(({ label, width }) => centre(label, width));
    lines.push([" ".repeat(stub.width), ...cells].join(GAP));
  }
  if (panel.some(({ metric }) => metric !== "")) {
    lines.push(blocks.map((block) => centre(block.metric, block.width)).join(GAP));
  }
  for (const level of [0, 1]) {
    const heads = blocks.map((block) => printLine(block, (strip) => strip.heads[level] ?? ""));
    lines.push(heads.join(GAP));
  }
  lines.push(blocks.map((block) => printLine(block, (strip) => "-".repeat(strip.width))).join(GAP));
  for (let row = 0; row < height; row += 1) {
    lines.push(blocks.map((block) => printLine(block, (strip) => strip.lines[row] ?? "")).join(GAP));
  }
  return lines
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .join("\n");
}

function joinGroups(panel: readonly Block[]): { label: string; width: number }[] {
  const groups: { label: string; width: number }[] = [];
  for (const block of panel) {
    const last = groups.at(-1);
    if (last !== undefined && last.label === block.group) {
      last.width += GAP.length + block.width;
    } else {
      groups.push({ label: block.group, width: block.width });
    }
  }
  return groups;
}

function printLine(block: Block, text: (strip: Strip) => string): string {
  const extra = block.width - stripsWidth(block.strips);
  const cells = block.strips.map((strip) => {
    const pad = strip.align === "left" ? padEnd : padStart;
    return pad(text(strip), strip.width);
  });
  return " ".repeat(extra) + cells.join(GAP);
}

function createStrip(heads: readonly string[], lines: readonly string[], align: Strip["align"]): Strip {
  return { heads, lines, align, width: Math.max(...[...heads, ...lines].map((text) => textWidth(text))) };
}

function createBlock(group: string, metric: string, strips: readonly Strip[]): Block {
  return { group, metric, strips, width: Math.max(textWidth(metric), stripsWidth(strips)) };
}

function stripsWidth(strips: readonly Strip[]): number {
  return strips.reduce((sum, strip) => sum + strip.width, 0) + GAP.length * Math.max(0, strips.length - 1);
}

function noteLines(mark: string | undefined, text: string, width: number): string {
  const head = mark === undefined ? "" : `[${mark}] `;
  return wrap(text, width - head.length)
    .map((line, index) => (index === 0 ? head : " ".repeat(head.length)) + line)
    .join("\n");
}

function fill(lines: readonly string[], height: number): string[] {
  return Array.from({ length: height }, (_, index) => lines[index] ?? "");
}
