// HTML by tagged templates that escape whatever is put in, so that text from files stays text.

/** Markup that is safe to put into a page. */
export interface Markup {
  readonly markup: string;
}

export type Content = string | number | undefined | Markup | readonly Content[];

/** Strings and numbers are escaped, markup and lists of it are put in as they are, undefined is nothing. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return { markup: parts.map((part, i) => part + textOf(contents[i])).join("") };
}

/** Markup that something else wrote, e.g. a drawing. */
export function trusted(markup: string): Markup {
  return { markup };
}

/** As text or in an attribute between double quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (found) => ESCAPES[found] ?? found);
}

/** JSON that can stand in a script element, which ends at `</script` whatever is around it. */
export function jsonMarkup(value: unknown): Markup {
  return trusted(JSON.stringify(value).replace(/[<>\u2028\u2029]/g, (found) => `\\u${hex(found)}`));
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function hex(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(4, "0");
}

function textOf(content: Content): string {
  if (content === undefined) {
    return "";
  }
  if (typeof content === "string" || typeof content === "number") {
    return escapeHtml(String(content));
  }
  return "markup" in content ? content.markup : content.map(textOf).join("");
}
