// Short names of modalities in the field's state dicts: `t_output_layer`, `a_v.transformer_inter`.
const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  ["text", "t"],
  ["audio", "a"],
  ["visual", "v"],
]);

/** t, a or v; other modalities keep their own name. */
export function shortModalityName(modality: string): string {
  return SHORT_NAMES.get(modality) ?? modality;
}
