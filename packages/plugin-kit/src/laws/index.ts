// All laws, in the order in which they are checked: what others build on comes first.
import type { Law } from "../law.ts";
import { batchLaw, missingLaw, modalitiesLaw, nothingLaw, paddingLaw } from "./batches.ts";
import { costLaw } from "./cost.ts";
import { optionsLaw, parametersLaw, shapesLaw } from "./declared.ts";
import { enginesLaw } from "./engines.ts";
import { gradientsLaw } from "./gradients.ts";
import { learningLaw, memoryLaw, repeatableLaw } from "./training.ts";

export const LAWS: readonly Law[] = [
  optionsLaw,
  parametersLaw,
  shapesLaw,
  paddingLaw,
  batchLaw,
  missingLaw,
  nothingLaw,
  modalitiesLaw,
  repeatableLaw,
  memoryLaw,
  learningLaw,
  costLaw,
  gradientsLaw,
  enginesLaw,
];
