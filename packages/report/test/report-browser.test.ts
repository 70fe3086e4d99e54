// The report in a real Chromium. Without one these tests are skipped by name: put it on the PATH or name it with
// MERCLAB_CHROMIUM.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { formatTable, standaloneSvg } from "../src/index.ts";
import { findChromium, reportOf, writePage } from "./report-support.ts";
import { type MadeUpStudy, storeStudy } from "./stored-study.ts";

const executablePath = findChromium();
const STUDY: MadeUpStudy = {
  datasets: ["iemocap", "meld"],
  methods: ["sdt", "lmam", "a-method-with-quite-a-long-name-of-its-own"],
  classes: ["happy", "<script>alert(1)</script>", 'sad & "so on"'],
  seeds: 3,
  dialogues: 4,
  utterances: 30,
  skill: (method) => (method === "sdt" ? 0.9 : 0.3),
};

describe.skipIf(executablePath === undefined)("a report in Chromium (MERCLAB_CHROMIUM)", () => {
  const profile = mkdtempSync(join(tmpdir(), "merclab-chromium-"));
  let context: BrowserContext;
  let page: Page;
  let made: Awaited<ReturnType<typeof reportOf>>;
  let written: ReturnType<typeof writePage>;
  const complaints: string[] = [];
  const requests: string[] = [];

  beforeAll(async () => {
    const stored = await storeStudy(STUDY);
    made = await reportOf(stored.runs, STUDY);
    stored.remove();
    written = writePage(made.report.html);
    context = await chromium.launchPersistentContext(profile, {
      ...(executablePath === undefined ? {} : { executablePath }),
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
      viewport: { width: 1280, height: 900 },
    });
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    page = await context.newPage();
    page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("dialog", (dialog) => complaints.push(`dialog: ${dialog.message()}`));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(written.url);
  }, 60_000);
  afterAll(async () => {
    await context?.close();
    written?.remove();
    rmSync(profile, { recursive: true, force: true });
  });
  afterEach(() => {
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => url !== written.url)).toEqual([]);
  });

  test("draws every picture, of every data set", async () => {
    const drawn = async () =>
      page.locator("svg.plot").evaluateAll(
        (all) =>
          all.filter((svg) => {
            const { width, height } = svg.getBoundingClientRect();
            return width > 100 && height > 40;
          }).length,
      );
    const first = await drawn();
    await page.getByRole("tab", { name: "meld" }).first().click();
    expect(first + (await drawn())).toBe(made.report.pictures.length);
    await page.getByRole("tab", { name: "iemocap" }).first().click();
  });

  test("takes every picture for well-formed XML", async () => {
    const broken: string[] = [];
    for (const { name, drawing } of made.report.pictures) {
      const source = JSON.stringify(standaloneSvg(drawing));
      const root = await page.evaluate(
        `new DOMParser().parseFromString(${source}, "image/svg+xml").documentElement.nodeName`,
      );
      if (root !== "svg") {
        broken.push(name);
      }
    }
    expect(broken).toEqual([]);
  });

  test("sorts by a column, the other way round, and back", async () => {
    const button = page.locator("table.scores thead tr:last-child th").nth(3).getByRole("button");
    const values = () =>
      page
        .locator("table.scores tbody tr")
        .evaluateAll((rows) => rows.map((row) => Number(row.children[3]?.getAttribute("data-value"))));
    const original = await values();
    await button.click();
    expect(await values()).toEqual([...original].sort((a, b) => b - a));
    expect(await page.locator("th[aria-sort=descending]").count()).toBe(1);
    await button.press("Enter");
    expect(await values()).toEqual([...original].sort((a, b) => a - b));
    await button.press("Enter");
    expect(await values()).toEqual(original);
    expect(await page.locator("th[aria-sort]").count()).toBe(0);
  });

  test.each(["latex", "md", "csv"] as const)("copies a table as %s", async (format) => {
    const button = page.locator(`button[data-copy="0 ${format}"]`);
    await button.focus();
    await page.keyboard.press("Enter");
    await page.getByText(/ copied$/).waitFor();
    const text = await page.evaluate("navigator.clipboard.readText()");
    expect(text).toBe(formatTable(made.table, format));
  });

  test("is used with the keyboard: skip link, sections, tabs, numbers, theme", async () => {
    await page.goto(written.url);
    requests.splice(1);
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Skip to the summary");
    const reached: string[] = [];
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press("Tab");
      reached.push(String(await page.evaluate("document.activeElement.textContent.trim().split('\\n')[0]")));
    }
    expect(reached).toEqual(expect.arrayContaining(["Summary", "Provenance", "Dark", "LaTeX", "iemocap", "Numbers"]));
    expect(reached).not.toContain("meld"); // one stop for all tabs of a list
    await page.getByRole("tab", { name: "iemocap" }).first().focus();
    await page.keyboard.press("ArrowRight");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("meld");
    expect(await page.getByRole("tab", { name: "meld", selected: true }).count()).toBeGreaterThan(3);
    await page.keyboard.press("Home");
    await page.locator("#classes summary").first().focus();
    await page.keyboard.press("Enter");
    expect(await page.locator("#classes details.numbers[open] table").first().isVisible()).toBe(true);
  });

  test.each(["light", "dark"] as const)("has enough contrast in %s", async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    const colors = (await page.evaluate(`(() => {
      const style = getComputedStyle(document.documentElement);
      const names = ["paper", "ink", "muted", "accent", "first", "second",
        "series-1", "series-2", "series-3", "series-4", "series-5", "series-6"];
      return Object.fromEntries(names.map((name) => [name, style.getPropertyValue("--" + name).trim()]));
    })()`)) as Record<string, string>;
    const { paper = "", ...texts } = colors;
    for (const [name, color] of Object.entries(texts)) {
      expect([name, contrast(color, paper) >= 4.5]).toEqual([name, true]);
    }
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe(rgbText(paper));
    await page.emulateMedia({ colorScheme: null });
  });

  test("changes to the other theme by its button", async () => {
    await page.emulateMedia({ colorScheme: "light" });
    const background = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
    const before = await background();
    await page.getByRole("button", { name: "Dark" }).click();
    expect(await background()).not.toBe(before);
    await page.getByRole("button", { name: "Light" }).click();
    expect(await background()).toBe(before);
    await page.emulateMedia({ colorScheme: null });
  });

  test.each([390, 1280])("fits %i pixels without scrolling sideways, and its pictures do", async (width) => {
    await page.setViewportSize({ width, height: 844 });
    for (const tab of ["iemocap", "meld"]) {
      await page.getByRole("tab", { name: tab }).first().click();
      const widths = await page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
      );
      expect(widths).toEqual([width, width]);
      // Wide pictures scroll in a frame of their own; the others are shown whole.
      const cut = await page
        .locator("svg.plot")
        .evaluateAll(
          (all) =>
            all.filter(
              (svg) =>
                svg.closest(".wide") === null &&
                svg.getBoundingClientRect().right > svg.ownerDocument.documentElement.clientWidth,
            ).length,
        );
      expect(cut).toBe(0);
    }
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  test("prints every data set and no button, on white", async () => {
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(255, 255, 255)");
    expect(
      await page.locator(".panel").evaluateAll((all) => all.every((panel) => panel.getBoundingClientRect().height > 0)),
    ).toBe(true);
    for (const button of await page.getByRole("button").all()) {
      expect([
        await button.textContent(),
        (await button.isVisible()) && !(await button.evaluate((each) => each.classList.contains("sort"))),
      ]).toEqual([await button.textContent(), false]);
    }
    // A4 lying, less its margins, in pixels of 1/96 inch.
    await page.setViewportSize({ width: 1009, height: 680 });
    const rights = await page
      .locator("table.scores")
      .evaluateAll((tables) => tables.map((table) => table.getBoundingClientRect().right));
    expect(Math.max(...rights)).toBeLessThanOrEqual(1009);
    await page.setViewportSize({ width: 1280, height: 900 });
    const pdf = await page.pdf({ format: "A4" });
    expect(pdf.subarray(0, 5).toString()).toBe("%PDF-");
    await page.emulateMedia({ media: null, colorScheme: null });
  });
});

/** By WCAG 2: from 1 to 21. */
function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(color: string): number {
  const [r = 0, g = 0, b = 0] = channels(color).map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Of "#rrggbb". */
function channels(color: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
}

function rgbText(color: string): string {
  return `rgb(${channels(color).join(", ")})`;
}
