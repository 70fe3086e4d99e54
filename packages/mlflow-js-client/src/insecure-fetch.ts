// fetch that trusts any certificate, for MLFLOW_TRACKING_INSECURE_TLS. The global fetch can only be told so for the
// whole process; node:https can for one client. Only what this package sends is supported.

import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

export function createInsecureFetch(): typeof globalThis.fetch {
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  return async (input, { method = "GET", headers, body, signal } = {}) => {
    const sent = new Headers(headers);
    // A blob of a file is passed on as it is, to be read as it is sent.
    const blob = body === undefined || body === null || body instanceof Blob ? body : await new Response(body).blob();
    if (blob) sent.set("content-length", String(blob.size));
    return new Promise((resolve, reject) => {
      const options = { agent, method, headers: Object.fromEntries(sent), ...(signal && { signal }) };
      const outgoing = request(String(input), options, (incoming) => resolve(toResponse(incoming)));
      outgoing.once("error", reject);
      if (!blob) outgoing.end();
      else pipeline(Readable.from(blob.stream()), outgoing).catch(reject);
    });
  };
}

function toResponse(incoming: IncomingMessage): Response {
  const status = incoming.statusCode ?? 0;
  const headers = new Headers();
  for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
    headers.append(incoming.rawHeaders[index] ?? "", incoming.rawHeaders[index + 1] ?? "");
  }
  const empty = status === 204 || status === 304;
  if (empty) incoming.resume();
  return new Response(empty ? null : Readable.toWeb(incoming), { status, headers });
}
