import type { Plugin } from "@merclab/core";
import { bcLstmPlugin } from "./bc-lstm.ts";
import { dialogueGcnPlugin } from "./dialogue-gcn.ts";
import { dialogueRnnPlugin } from "./dialogue-rnn.ts";
import { linearPlugin } from "./linear.ts";
import { mmgcnPlugin } from "./mmgcn.ts";
import { sdtEncoderPlugin } from "./sdt.ts";
import { transformerPlugin } from "./transformer.ts";

export { createLinearEncoder, linearOptions } from "./linear.ts";
export { createSdtEncoder, type SdtEncoderOptions, sdtEncoderOptions } from "./sdt.ts";
export { createTransformerEncoder, type TransformerOptions, transformerOptions } from "./transformer.ts";

export const plugins: readonly Plugin[] = [
  linearPlugin,
  transformerPlugin,
  sdtEncoderPlugin,
  bcLstmPlugin,
  dialogueRnnPlugin,
  dialogueGcnPlugin,
  mmgcnPlugin,
];
