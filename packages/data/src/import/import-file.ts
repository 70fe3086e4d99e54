// `exp data import`: a file of the field to a feature folder with description, checksums and provenance.
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { MerclabError, SPLITS, type Split, suggestName } from "@merclab/core";
import { PickleError } from "@merclab/pickle";
import { fromPickle, type OpenedFile, openFile } from "../files/open-file.ts";
import type { ImportedCorpus, Target } from "./corpus.ts";
import { cutTarget } from "./cut.ts";
import { joinFeatures } from "./features.ts";
import type { ImportOptions, ImportSource } from "./layout.ts";
import { LayoutError } from "./layout-error.ts";
import { detectLayout, layoutByName } from "./layouts/index.ts";
import { type NonFinite, type WrittenModality, writeFolder } from "./write-folder.ts";

export interface ImportRequest {
  /** A file, or a folder of one of the layouts that come in several files. */
  readonly path: string;
  /** Folder to write: new or empty. */
  readonly out: string;
  /** Name of the layout; detected without it. */
  readonly layout?: string | undefined;
  /** Column to predict, where the layout has several. */
  readonly target?: string | undefined;
  /** Borders of classes, for real-valued labels. */
  readonly cut?: readonly number[] | undefined;
  readonly textLayers?: ImportOptions["textLayers"];
  readonly nonFinite?: NonFinite;
  /** Further modalities by name: file or folder. */
  readonly features?: Readonly<Record<string, string>>;
}

export interface ImportReport {
  readonly folder: string;
  readonly layout: string;
  readonly detected: boolean;
  readonly name: string;
  readonly target: Target;
  readonly otherTargets: readonly string[];
  readonly splits: Readonly<Record<Split, { readonly dialogues: number; readonly utterances: number }>>;
  readonly modalities: readonly WrittenModality[];
  readonly notes: readonly string[];
}

/** Files by which a folder of a layout in several files is known. */
const MAIN_FILES = [/^train_sent_emo(_dya)?\.csv$/, /^video_level_(train|test|val)_data\.pkl$/, /^audio\.pickle$/];

/** @throws MerclabError `data` for everything that is wrong with the files, `config` for the request */
export async function importFile(request: ImportRequest): Promise<ImportReport> {
  const path = mainFile(resolve(request.path));
  const opened: OpenedFile[] = [];
  const sources = new Set([path]);
  try {
    const file = await openFile(path);
    opened.push(file);
    const beside: ImportSource["beside"] = async (name) => {
      const other = join(dirname(path), basename(name));
      if (!existsSync(other)) {
        return undefined;
      }
      const found = await openFile(other);
      opened.push(found);
      sources.add(other);
      return { value: found.value, table: found.table };
    };
    const siblings = readdirSync(dirname(path))
      .filter((name) => name !== basename(path))
      .sort();
    const source: ImportSource = { path, value: file.value, table: file.table, siblings, beside };
    const layout = request.layout === undefined ? detectLayout(source) : layoutByName(request.layout, source);
    let corpus = await layout.read(source, { textLayers: request.textLayers ?? "first" });
    if (request.cut !== undefined) {
      corpus = cutTarget(corpus, request.cut);
    }
    for (const [name, place] of Object.entries(request.features ?? {})) {
      if (!/^[A-Za-z][\w-]*$/.test(name) || corpus.modalities.some((modality) => modality.name === name)) {
        throw new MerclabError("config", `a modality "${name}" cannot be added: it is there already, or is no name`, {
          where: "--features",
        });
      }
      const joined = await joinFeatures(name, resolve(place), corpus);
      opened.push(...joined.files);
      if (joined.files.length > 0) {
        sources.add(resolve(place));
      }
      corpus = { ...corpus, modalities: [...corpus.modalities, ...joined.modalities] };
    }
    const target = chooseTarget(corpus, request.target);
    const nonFinite = request.nonFinite ?? "keep";
    const options = { target: target.column, "text-layers": request.textLayers ?? "first", "non-finite": nonFinite };
    const provenance = { sources: await hashed([...sources]), layout: layout.name, options, notes: corpus.notes };
    const modalities = writeFolder(corpus, resolve(request.out), target, provenance, nonFinite);
    return {
      folder: resolve(request.out),
      layout: layout.name,
      detected: request.layout === undefined,
      name: corpus.name,
      target,
      otherTargets: corpus.targets.map(({ column }) => column).filter((column) => column !== target.column),
      splits: sizes(corpus),
      modalities,
      notes: corpus.notes,
    };
  } catch (error) {
    if (error instanceof LayoutError) {
      throw new MerclabError("data", error.message, { where: path, hint: error.hint, cause: error });
    }
    if (error instanceof PickleError) {
      throw fromPickle(error, path);
    }
    throw error;
  } finally {
    for (const file of opened) {
      file.close();
    }
  }
}

function mainFile(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
    return path;
  }
  if (existsSync(join(path, "dataset.yaml"))) {
    throw new MerclabError("data", "this is a feature folder already", {
      where: path,
      hint: "exp data check looks into it.",
    });
  }
  const names = readdirSync(path).sort();
  const found = MAIN_FILES.map((pattern) => names.find((name) => pattern.test(name))).find(
    (name) => name !== undefined,
  );
  const tables = names.filter((name) => /\.(csv|tsv)$/i.test(name));
  if (found === undefined && tables.length === 1 && names.some((name) => name.endsWith(".npy"))) {
    return join(path, tables[0] ?? "");
  }
  if (found === undefined) {
    throw new MerclabError("data", "which of its files?", {
      where: path,
      hint: `Give one of ${names.slice(0, 8).join(", ")}.`,
    });
  }
  return join(path, found);
}

function chooseTarget({ targets, mustChoose }: ImportedCorpus, wanted: string | undefined): Target {
  const names = targets.map(({ column }) => column);
  const [first] = targets;
  if (first === undefined) {
    throw new MerclabError("config", "the labels are real values, of which classes must be made", {
      where: "--cut",
      hint: "Give the borders of classes, e.g. --cut 0 for two classes, --cut=-0.3,0.3 for three; the target regression keeps the values.",
    });
  }
  if (wanted === undefined) {
    if (mustChoose === true) {
      throw new MerclabError("config", "several labels can be true of one utterance", {
        where: "--target",
        hint: `Choose one: ${names.join(", ")}.`,
      });
    }
    return first;
  }
  const target = targets.find(({ column }) => column === wanted);
  if (target === undefined) {
    throw new MerclabError("config", `unknown target "${wanted}"`, {
      where: "--target",
      hint: suggestName(wanted, names),
    });
  }
  return target;
}

function sizes({ dialogues }: ImportedCorpus): ImportReport["splits"] {
  const size = (split: Split) => {
    const part = dialogues.filter((dialogue) => dialogue.split === split);
    return { dialogues: part.length, utterances: part.reduce((sum, { utterances }) => sum + utterances.length, 0) };
  };
  return Object.fromEntries(SPLITS.map((split) => [split, size(split)])) as ImportReport["splits"];
}

async function hashed(paths: readonly string[]) {
  const sources: { file: string; bytes: number; sha256: string }[] = [];
  for (const path of paths) {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      hash.update(chunk as Buffer);
    }
    sources.push({ file: basename(path), bytes: statSync(path).size, sha256: hash.digest("hex") });
  }
  return sources;
}
