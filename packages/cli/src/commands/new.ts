// `exp new`: a plugin that works, to be changed into one's own.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { MerclabError } from "@merclab/core";
import { NEW_KINDS, type NewKind, newPlugin } from "@merclab/plugin-kit";
import { Argument, Command } from "commander";
import pc from "picocolors";
import { printJson, printText } from "../output.ts";
import { openSite } from "../site.ts";
import { addPluginEntry, SETTINGS_FILE } from "../user-plugins/settings.ts";

const EXAMPLES = `
Examples:
  $ exp new fusion mine              fusions/mine.ts, a test of it, and a line in merclab.yaml
  $ exp new encoder context --json`;

export function newCommand(): Command {
  return new Command("new")
    .description("Write a plugin into this folder that works, and name it in merclab.yaml")
    .addArgument(new Argument("<kind>", "what to write").choices(NEW_KINDS))
    .argument("<name>", "its name in experiments: small letters, digits and -")
    .option("--json", "one JSON document on stdout")
    .addHelpText("after", EXAMPLES)
    .action(async (kind: NewKind, name: string, options: { json?: boolean }) => {
      const folder = process.cwd();
      const written = await write(kind, name, folder);
      const next = nextCommands(kind, name);
      if (options.json === true) {
        printJson({ kind, name, files: written.map((file) => resolve(folder, file)), next });
        return;
      }
      printText(
        [
          ...written.map((file) => `${pc.green("+")} ${file}`),
          `${pc.green("+")} ${SETTINGS_FILE} names it`,
          "",
          "Next:",
          ...next.map(
            ({ command, does }) => `  ${command.padEnd(Math.max(...next.map((each) => each.command.length)))}  ${does}`,
          ),
        ].join("\n"),
      );
    });
}

/** @returns the files, as paths in the folder */
async function write(kind: NewKind, name: string, folder: string): Promise<string[]> {
  if (!/^[a-z][a-z0-9-]*$/.test(name)) {
    throw new MerclabError("config", `"${name}" is no name for a ${kind}`, {
      hint: "Names begin with a small letter and hold small letters, digits and -, e.g. my-fusion.",
    });
  }
  const { registry, groups } = await openSite({});
  if (registry.names(kind).includes(name) || (await groups.names(kind)).includes(name)) {
    throw new MerclabError("config", `the name of ${kind} "${name}" is taken`, {
      hint: `Choose another one; "exp plugin ls ${kind}" shows those that there are.`,
    });
  }
  const { folder: place, files } = newPlugin(kind, name);
  const paths = files.map((file) => join(place, file.name));
  const there = paths.find((path) => existsSync(join(folder, path)));
  if (there !== undefined) {
    throw new MerclabError("config", `${there} exists already; nothing was written`, {
      where: join(folder, there),
      hint: `Name it in ${SETTINGS_FILE} if it is a plugin, move it away, or choose another name.`,
    });
  }
  for (const [i, { text }] of files.entries()) {
    const path = join(folder, paths[i] ?? "");
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { flag: "wx" });
  }
  addPluginEntry(folder, `./${paths[0]}`);
  return paths;
}

function nextCommands(kind: NewKind, name: string): { readonly command: string; readonly does: string }[] {
  const against = kind === "fusion" ? `fusion=concat,${name}` : `fusion=concat ${kind}=${DEFAULTS[kind]},${name}`;
  return [
    { command: `exp plugin test ${name}`, does: "checks what must hold, in seconds" },
    { command: `exp run fusions ${against}`, does: "trains it beside another one, prints the table" },
    { command: `exp plugin show ${kind}/${name}`, does: "its options" },
  ];
}

const DEFAULTS = { encoder: "transformer", objective: "cross-entropy" } as const;
