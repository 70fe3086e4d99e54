// Lets this process load TypeScript, and users' plugins wherever they lie: `node --import …/register.mjs`.
import { register as registerHooks } from "node:module";
import { register as registerTypeScript } from "tsx/esm/api";

registerTypeScript();
registerHooks("./own-copies.mjs", import.meta.url);
