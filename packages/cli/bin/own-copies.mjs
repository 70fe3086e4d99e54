// Module hooks for what a user writes outside merclab: its files are ES modules, in TypeScript or JavaScript, and what
// they import of merclab, and of the libraries in its contracts, is merclab's own copy. A second copy of
// @tensorflow/tfjs-core would be a second engine with tensors of its own, and @merclab/core is nowhere near a user's
// folder.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const HOME = new URL("../../../", import.meta.url).href;
const INSIDE = [`${HOME}packages/`, `${HOME}node_modules/`];
const OWN = /^(@merclab\/[\w-]+|@tensorflow\/tfjs-core|zod)(\/|$)/;
/** Imports are resolved as if they stood in this file, */
const BESIDE = import.meta.url;
/** or, where merclab was built, are modules of the build: URLs by what is imported. */
let copies = {};

const isInside = (url) => url !== undefined && INSIDE.some((folder) => url.startsWith(folder));

export function initialize(data = {}) {
  copies = data;
}

export function resolve(specifier, context, next) {
  if (!OWN.test(specifier) || isInside(context.parentURL)) {
    return next(specifier, context);
  }
  return next(copies[specifier] ?? specifier, { ...context, parentURL: BESIDE });
}

/**
 * Without a package.json that says "type": "module", TypeScript outside packages would be taken for CommonJS, whose
 * `require` no hook sees.
 */
export async function load(url, context, next) {
  const { protocol, pathname, href } = new URL(url);
  const loader = /\.m?([jt]sx?)$/.exec(pathname)?.[1];
  if (protocol !== "file:" || loader === undefined || isInside(url) || pathname.includes("/node_modules/")) {
    return next(url, context);
  }
  const sourcefile = fileURLToPath(href);
  const { transform } = await import("esbuild");
  const { code } = await transform(await readFile(sourcefile, "utf8"), {
    loader,
    sourcefile,
    format: "esm",
    target: "node20.19",
    sourcemap: "inline",
  });
  return { format: "module", source: code, shortCircuit: true };
}
