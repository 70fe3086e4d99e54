// Which line of the user's code led here: the first frame outside tfjs, Node and this package.
import { fileURLToPath } from "node:url";

const OWN_FOLDER = fileURLToPath(new URL("..", import.meta.url));
const FRAMES = 60;

/** `file:line:column`, or undefined where no such frame is on the stack. */
export function userLine(): string | undefined {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  const stack = new Error("trace").stack ?? "";
  Error.stackTraceLimit = limit;
  for (const line of stack.split("\n").slice(1)) {
    const place = /\(?((?:file:\/\/)?\/?[^()\s]*:\d+:\d+)\)?$/.exec(line.trim())?.[1];
    if (place !== undefined) {
      const path = place.startsWith("file://") ? fromUrl(place) : place;
      if (!path.startsWith("node:") && !/[\\/]@tensorflow[\\/+]/.test(path) && !path.startsWith(OWN_FOLDER)) {
        return path;
      }
    }
  }
  return undefined;
}

function fromUrl(place: string): string {
  const [, url = "", position = ""] = /^(.*?)(:\d+:\d+)$/.exec(place) ?? [];
  return `${fileURLToPath(url)}${position}`;
}
