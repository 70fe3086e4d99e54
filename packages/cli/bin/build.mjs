// Builds the command into a folder: `main.js`, chunks, and `copies/`, one module for each thing that merclab shares
// with plugins (named in `copies.json`). All of them share their chunks, so that a plugin meets the very tensors and
// classes of the command. A process of its own, `node build.mjs FOLDER`, since it loads a tfjs of its own.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const PACKAGES = fileURLToPath(new URL("../../", import.meta.url));
const require = createRequire(import.meta.url);
/** Native code lies beside the modules of these. */
const NATIVE = /^(onnxruntime-node|esbuild|h5wasm)(\/|$)/;
/** What modules of CommonJS expect, given to all. */
const BANNER = `import { createRequire as __createRequire } from "node:module";
const require = __createRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;`;

const [folder] = process.argv.slice(2);
const COPY = "copy:";

/** Source text of each module that plugins share, by what it is imported as. */
function ownCopies() {
  const copies = { zod: `export * from "zod"; export { default } from "zod";`, ...copyOfTfjs() };
  for (const name of readdirSync(PACKAGES)) {
    const { name: specifier, exports = {} } = JSON.parse(readFileSync(join(PACKAGES, name, "package.json"), "utf8"));
    if (specifier.startsWith("@merclab/")) {
      for (const [path, file] of Object.entries(exports)) {
        copies[`${specifier}${path.slice(1)}`] = `export * from ${JSON.stringify(join(PACKAGES, name, file))};`;
      }
    }
  }
  return copies;
}

/** The names of a CommonJS module are known when it runs. */
function copyOfTfjs() {
  const specifier = "@tensorflow/tfjs-core";
  const names = Object.keys(require(specifier)).filter((name) => name !== "default");
  const text = `import tfjs from "${specifier}"; export default tfjs; export const { ${names.join(", ")} } = tfjs;`;
  return { [specifier]: text };
}

const copiesFrom = (copies) => ({
  name: "copies",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^copy:/ }, ({ path }) => ({ path: path.slice(COPY.length), namespace: "copies" }));
    onLoad({ filter: /.*/, namespace: "copies" }, ({ path }) => ({
      contents: copies[path],
      resolveDir: import.meta.dirname,
    }));
  },
});

const leaveNative = {
  name: "leave-native",
  setup({ onResolve, resolve }) {
    onResolve({ filter: NATIVE }, async ({ path, kind, importer, resolveDir, pluginData }) => {
      if (pluginData === NATIVE) {
        return undefined;
      }
      const found = await resolve(path, { kind, importer, resolveDir, pluginData: NATIVE });
      const isRequired = kind === "require-call" || kind === "require-resolve";
      return { external: true, path: isRequired ? found.path : pathToFileURL(found.path).href };
    });
  },
};

/** Descriptions, styles, packages and WebAssembly are looked for beside the source file. */
const keepPlaces = {
  name: "keep-places",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]tf-backend-wasm\.node\.js$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      return { contents: `var __dirname = ${JSON.stringify(dirname(path))}, __filename = "";${text}` };
    });
    onLoad({ filter: /[\\/]packages[\\/][^\\/]+[\\/]src[\\/].*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const places = { url: pathToFileURL(path).href, dirname: dirname(path), filename: path };
      const contents = text.replaceAll(/\bimport\.meta\.(url|dirname|filename)\b/g, (_, name) =>
        JSON.stringify(places[name]),
      );
      return { contents, loader: "ts" };
    });
  },
};

const copies = ownCopies();
await build({
  entryPoints: [
    { in: join(PACKAGES, "cli/src/main.ts"), out: "main" },
    ...Object.keys(copies).map((name) => ({ in: `${COPY}${name}`, out: `copies/${name}` })),
  ],
  outdir: folder,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  // As Node itself resolves.
  conditions: [],
  // tfjs-backend-cpu says of its Node bundle that importing it does nothing.
  ignoreAnnotations: true,
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: "linked",
  sourcesContent: false,
  banner: { js: BANNER },
  plugins: [copiesFrom(copies), leaveNative, keepPlaces],
  logLevel: "error",
}).catch(() => process.exit(1)); // what is wrong was printed
writeFileSync(join(folder, "copies.json"), JSON.stringify(Object.keys(copies)));
