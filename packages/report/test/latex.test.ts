import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { escapeLatex } from "../src/formats/latex.ts";

const NAMES = ["lines", "unfinished", "narrow", "empty", "awkward", "compared", "published"];
const hasLatex = spawnSync("pdflatex", ["--version"]).status === 0;

const golden = (name: string) => readFileSync(new URL(`fixtures/${name}.golden.tex`, import.meta.url), "utf8");

describe("escapeLatex", () => {
  it.each([
    ["a_b & 50% #1", "a\\_b \\& 50\\% \\#1"],
    ["{x}$5^2~", "\\{x\\}\\$5\\textasciicircum{}2\\textasciitilde{}"],
    ["\\input{x}", "\\textbackslash{}input\\{x\\}"],
    ["<a>|b|", "\\textless{}a\\textgreater{}\\textbar{}b\\textbar{}"],
    ["exp run x --seeds 5", "exp run x -{}-seeds 5"],
    ["---", "-{}-{}-"],
    ["max-test - valid", "max-test $-$ valid"],
    ["1 ± 2", "1 $\\pm$ 2"],
    ["*[a]", "{*}{[}a{]}"],
    ["two\nlines", "two lines"],
  ])("%j becomes %j", (text, expected) => {
    expect(escapeLatex(text)).toBe(expected);
  });
});

describe("golden tables", () => {
  it.each(NAMES)("%s closes what it opens and has as many cells in every line", (name) => {
    const text = golden(name).replace(/\\[\\{}&%]/g, (found) => (found === "\\\\" ? "\\\\" : ""));
    expect(text.match(/\{/g)?.length).toBe(text.match(/\}/g)?.length);
    const opened = [...text.matchAll(/\\begin\{(\w+)\}/g)].map((match) => match[1]);
    const closed = [...text.matchAll(/\\end\{(\w+)\}/g)].map((match) => match[1]);
    expect(opened.sort()).toStrictEqual(closed.sort());
    const lines = text.split("\n").filter((line) => line.includes(" & "));
    const widths = lines.map((line) => {
      const spans = [...line.matchAll(/\\multicolumn\{(\d+)\}/g)].map((match) => Number(match[1]) - 1);
      return (line.match(/ & /g)?.length ?? 0) + 1 + spans.reduce((sum, each) => sum + each, 0);
    });
    expect(new Set(widths).size).toBe(name === "empty" ? 0 : 1);
  });

  it.skipIf(!hasLatex).each(["booktabs", "booktabs,graphicx"])("compile with pdflatex and %s", (packages) => {
    const folder = mkdtempSync(join(tmpdir(), "merclab-latex-"));
    try {
      const body = NAMES.map((name) => golden(name)).join("\n\\clearpage\n");
      const document = `\\documentclass{article}\n\\usepackage{${packages}}\n\\begin{document}\n${body}\n\\end{document}\n`;
      writeFileSync(join(folder, "table.tex"), document);
      // Draft mode typesets everything and writes no file, so that no font needs to be installed.
      const options = ["-draftmode", "-interaction=nonstopmode", "-halt-on-error", "table.tex"];
      const run = spawnSync("pdflatex", options, { cwd: folder, encoding: "utf8" });
      expect(run.stdout.match(/^!.*/m)?.[0]).toBeUndefined();
      expect(run.status).toBe(0);
      // Wide tables stick out of the text only where nothing can scale them.
      const overfull = [...run.stdout.matchAll(/^Overfull \\hbox \(([\d.]+)pt too wide\)/gm)].map(([, width]) =>
        Number(width),
      );
      expect(overfull.filter((width) => width > 1)).toStrictEqual(
        packages.includes("graphicx") ? [] : expect.anything(),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
