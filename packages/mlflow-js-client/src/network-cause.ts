// What a failed fetch means. undici rejects with `TypeError: fetch failed` and hides the reason in nested causes;
// some reasons prove that the request never left, some will not go away by waiting.

const UNSENT_CODES = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** The request provably did not reach the server. */
export function isUnsent(error: unknown): boolean {
  return isPermanent(error) || causes(error).some(({ code }) => UNSENT_CODES.has(code));
}

/** Certificates do not become trusted, and forbidden ports do not open, by trying again. */
export function isPermanent(error: unknown): boolean {
  return causes(error).some(({ code, message }) => isCertificateCode(code) || message === "bad port");
}

/** The most specific code and message of the chain, with advice where there is some. */
export function describeCause(error: unknown): { code: string; text: string; hint: string } {
  const chain = causes(error);
  const best = chain.findLast(({ code }) => code !== "") ?? chain.at(-1);
  const code = best?.code || "NETWORK";
  const text = [best?.code, best?.message].filter(Boolean).join(": ") || "network error";
  const hint = chain.some((cause) => isCertificateCode(cause.code))
    ? " (name the certificate authority in NODE_EXTRA_CA_CERTS)"
    : "";
  return { code, text, hint };
}

function isCertificateCode(code: string): boolean {
  return /CERT|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|ERR_TLS|ERR_SSL_WRONG_VERSION/.test(code);
}

function causes(error: unknown): { code: string; message: string }[] {
  const chain: { code: string; message: string }[] = [];
  let current = error;
  // Bounded, since a cause may point back at its error.
  for (let depth = 0; depth < 8 && current instanceof Error; depth++) {
    const code = "code" in current && typeof current.code === "string" ? current.code : "";
    chain.push({ code, message: current.message });
    current = current.cause ?? (current instanceof AggregateError ? current.errors[0] : undefined);
  }
  return chain;
}
