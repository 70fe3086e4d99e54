// A `table` environment with booktabs' rules that compiles as is in a document that loads booktabs. With graphicx
// loaded too, a table that is wider than the text is scaled to fit; without it, it sticks out.
import type { Table, TableColumn } from "../tables/table.ts";
import { type CellText, cellText, columnBlocks, columnHead, groupBlocks, metricHead } from "./cell-text.ts";

/** About what a line of an article holds, in characters with the gaps of columns. */
const LINE = 70;

export function formatLatex(table: Table): string {
  const lines = ["\\begin{table}[tbp]", "  \\centering"];
  lines.push(`  \\caption{${escapeLatex(`${table.title}. ${table.caption}`)}}`);
  if (table.rows.length > 0) {
    const tabular = tabularLines(table);
    if (widthOf(table) > LINE) {
      lines.push("  \\providecommand{\\resizebox}[3]{#3}% without graphicx: as wide as it is");
      lines.push("  \\resizebox{\\linewidth}{!}{%", ...tabular.slice(0, -1), `${tabular.at(-1)}}`);
    } else {
      lines.push(...tabular);
    }
  }
  if (table.notes.length > 0) {
    lines.push("", "  \\smallskip", "  \\begin{minipage}{\\linewidth}\\footnotesize\\raggedright");
    const notes = table.notes.map(
      ({ mark, text }) =>
        `    ${mark === undefined ? "" : `\\textsuperscript{${markText(mark)}}~`}${escapeLatex(text)}`,
    );
    lines.push(notes.join("\\\\\n"), "  \\end{minipage}");
  }
  lines.push("\\end{table}");
  return `% needs \\usepackage{booktabs}; \\usepackage{graphicx} scales wide tables\n${lines.join("\n")}\n`;
}

/** Any text as the same text in LaTeX, anywhere in a table. */
export function escapeLatex(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(/ - |-(?=-)|[\\{}$&#%_^~<>|"±≈−–—…[\]*]/g, (found) => ESCAPES[found] ?? found);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "{": "\\{",
  "}": "\\}",
  $: "\\$",
  "&": "\\&",
  "#": "\\#",
  "%": "\\%",
  _: "\\_",
  "^": "\\textasciicircum{}",
  "~": "\\textasciitilde{}",
  "<": "\\textless{}",
  ">": "\\textgreater{}",
  "|": "\\textbar{}",
  '"': "''", // \textquotedbl is missing in the default font encoding
  " - ": " $-$ ",
  "-": "-{}", // before another one, which together would become a dash
  "±": "$\\pm$",
  "≈": "$\\approx$",
  "−": "$-$",
  "–": "--",
  "—": "---",
  "…": "\\dots{}",
  "[": "{[}", // after the \\ of the line above, [ would open an option and * be one
  "]": "{]}",
  "*": "{*}",
};

function tabularLines(table: Table): string[] {
  const align = "l".repeat(table.rowHeads.length) + "r".repeat(table.columns.length);
  return [
    `  \\begin{tabular}{@{}${align}@{}}`,
    "    \\toprule",
    ...headLines(table),
    "    \\midrule",
    ...bodyLines(table),
    "    \\bottomrule",
    "  \\end{tabular}",
  ];
}

/** In characters, gaps included. */
function widthOf(table: Table): number {
  const labels = table.rowHeads.map((head, place) =>
    Math.max(head.length, ...table.rows.map((row) => row.labels[place]?.length ?? 0)),
  );
  const columns = table.columns.map((column, place) => {
    const { label, remark } = columnHead(column);
    const cells = table.cells.flatMap((row) => row[place] ?? []).map((cell) => cellText(column, cell));
    const texts = cells.map(({ value, spread, marks }) => value.length + spread.length + marks.length + 3);
    return Math.max(label.length, remark.length + 2, ...texts);
  });
  return [...labels, ...columns].reduce((sum, each) => sum + each + 2, 0);
}

function headLines(table: Table): string[] {
  const lines: string[] = [];
  if (table.columns.some((column) => column.groupLabel !== "")) {
    lines.push(...spanLines(table, groupBlocks(table), (column) => column.groupLabel));
  }
  if (table.columns.some((column) => metricHead(column) !== "")) {
    lines.push(...spanLines(table, columnBlocks(table), metricHead));
  }
  const heads = table.columns.map((column) => columnHead(column));
  lines.push(tableLine([...table.rowHeads.map(escapeLatex), ...heads.map(({ label }) => escapeLatex(label))]));
  if (heads.some(({ remark }) => remark !== "")) {
    const remarks = heads.map(({ remark }) => (remark === "" ? "" : `(${escapeLatex(remark)})`));
    lines.push(tableLine([...table.rowHeads.map(() => ""), ...remarks]));
  }
  return lines;
}

/** One line of heads over several columns each, and the rules below them. */
function spanLines(table: Table, spans: readonly number[][], label: (column: TableColumn) => string): string[] {
  const stub = table.rowHeads.length;
  const texts: string[] = table.rowHeads.map(() => "");
  const rules: string[] = [];
  for (const span of spans) {
    const [first = 0] = span;
    const column = table.columns[first];
    const text = column === undefined ? "" : escapeLatex(label(column));
    if (text === "") {
      texts.push(...span.map(() => ""));
    } else {
      texts.push(`\\multicolumn{${span.length}}{c}{${text}}`);
      rules.push(`\\cmidrule(lr){${stub + first + 1}-${stub + first + span.length}}`);
    }
  }
  return [tableLine(texts), `    ${rules.join(" ")}`];
}

/** A first label that equals the one above is left out; a new one is set off where several lines share it. */
function bodyLines(table: Table): string[] {
  return table.rows.flatMap((row, index) => {
    const before = table.rows[index - 1]?.labels;
    const labels = row.labels.map((label, place) => {
      const isLast = place === row.labels.length - 1;
      const repeats = before !== undefined && row.labels.slice(0, place + 1).every((each, at) => each === before[at]);
      return repeats && !isLast ? "" : escapeLatex(label);
    });
    const cells = table.columns.map((column, place) => {
      const cell = table.cells[index]?.[place];
      return cell === undefined ? "" : bodyText(cellText(column, cell));
    });
    const line = tableLine([...labels, ...cells]);
    const startsGroup = row.labels.length > 1 && before !== undefined && row.labels[0] !== before[0];
    return startsGroup ? ["    \\addlinespace", line] : [line];
  });
}

function bodyText({ value, spread, marks, isWinner }: CellText): string {
  const plain = /^[+-]\d/.test(value) ? `$${value}$` : escapeLatex(value);
  const mean = isWinner ? `\\textbf{${plain}}` : plain;
  const number = spread === "" ? mean : `${mean} $\\pm$ ${spread}`;
  return marks.length === 0 ? number : `${number}\\textsuperscript{${marks.map(markText).join(",")}}`;
}

/** A mark that is no letter may be no character of the font. */
function markText(mark: string): string {
  return mark === "*" ? mark : escapeLatex(mark);
}

function tableLine(cells: readonly string[]): string {
  return `    ${cells.join(" & ")} \\\\`;
}
