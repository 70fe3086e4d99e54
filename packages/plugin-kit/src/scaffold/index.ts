// New plugins as files, by kind.
import { encoderTemplate } from "./encoder.ts";
import { fusionTemplate, fusionTestTemplate } from "./fusion.ts";
import { objectiveTemplate } from "./objective.ts";

export const NEW_KINDS = ["fusion", "encoder", "objective"] as const;
export type NewKind = (typeof NEW_KINDS)[number];

export interface NewPlugin {
  /** Folder of its kind, in the user's folder. */
  readonly folder: string;
  /** File names and texts; the plugin itself is the first. */
  readonly files: readonly { readonly name: string; readonly text: string }[];
}

export function newPlugin(kind: NewKind, name: string): NewPlugin {
  const file = `${name}.ts`;
  switch (kind) {
    case "fusion":
      return {
        folder: "fusions",
        files: [
          { name: file, text: fusionTemplate(name) },
          { name: `${name}.test.ts`, text: fusionTestTemplate(name) },
        ],
      };
    case "encoder":
      return { folder: "encoders", files: [{ name: file, text: encoderTemplate(name) }] };
    case "objective":
      return { folder: "objectives", files: [{ name: file, text: objectiveTemplate(name) }] };
  }
}
