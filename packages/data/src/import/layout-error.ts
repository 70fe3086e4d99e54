// A value that is not of the layout it was taken for. Becomes a MerclabError with the file once that is known.
export class LayoutError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = "LayoutError";
    this.hint = hint;
  }
}
