// Where the server is and how to prove who we are: options first, then the tracking URI, then the environment.
// The only module that sees secrets; `redact` takes them out of any text that could reach a message.

import { MlflowConfigError } from "./errors.ts";
import { USER_AGENT } from "./version.ts";

export interface Auth {
  readonly username?: string;
  readonly password?: string;
  /** Sent as `Authorization: Bearer`; username and password win when both are given. */
  readonly token?: string;
}

export interface ConnectionOptions {
  /** `http(s)://host[:port][/prefix]`; default MLFLOW_TRACKING_URI. */
  readonly trackingUri?: string;
  /** Default MLFLOW_TRACKING_USERNAME with MLFLOW_TRACKING_PASSWORD, else MLFLOW_TRACKING_TOKEN; `{}` for none. */
  readonly auth?: Auth;
  /** Further headers for each attempt, for example a signature or `X-MLFLOW-WORKSPACE`. */
  readonly headers?: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  /** Instead of `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface Connection {
  /** Without credentials, query, or trailing slash. */
  readonly baseUrl: string;
  /** Whether any certificate will do: MLFLOW_TRACKING_INSECURE_TLS with https. */
  readonly insecureTls: boolean;
  /** The Authorization header and whatever the hook adds; computed anew for each attempt. */
  headers(): Promise<Headers>;
  /** Replaces every secret in `text` by `***`. */
  redact(text: string): string;
}

/** @throws MlflowConfigError when there is no usable tracking URI or the credentials are incomplete. */
export function createConnection(options: ConnectionOptions = {}): Connection {
  const env = options.env ?? process.env;
  const uri = options.trackingUri ?? env.MLFLOW_TRACKING_URI;
  if (uri === undefined || uri === "") {
    throw new MlflowConfigError(
      "NO_TRACKING_URI",
      "tracking URI: none given; pass trackingUri or set MLFLOW_TRACKING_URI",
    );
  }
  const { baseUrl, auth: uriAuth } = parseTrackingUri(uri);
  const auth = options.auth ?? uriAuth ?? environmentAuth(env);
  const authorization = authorizationHeader(auth);
  const secrets = secretsOf(auth, authorization);
  return {
    baseUrl,
    insecureTls: isSet(env, "MLFLOW_TRACKING_INSECURE_TLS") && baseUrl.startsWith("https:"),
    headers: async () => {
      const headers = await hookHeaders(options.headers);
      if (!headers.has("user-agent")) headers.set("user-agent", USER_AGENT);
      if (authorization !== undefined && !headers.has("authorization")) headers.set("authorization", authorization);
      return headers;
    },
    redact: (text) => secrets.reduce((clean, secret) => clean.replaceAll(secret, "***"), text),
  };
}

function parseTrackingUri(uri: string): { baseUrl: string; auth: Auth | undefined } {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1]?.toLowerCase();
  if (scheme !== "http" && scheme !== "https") {
    const got = uri === "databricks" || scheme === "databricks" ? "databricks" : scheme ? `${scheme}:` : "a path";
    throw new MlflowConfigError(
      "UNSUPPORTED_TRACKING_URI",
      `tracking URI: expected http:// or https://, got ${got}; this client speaks REST only, start \`mlflow server\` on that store`,
    );
  }
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url === undefined || url.search !== "" || url.hash !== "") {
    throw new MlflowConfigError(
      "INVALID_TRACKING_URI",
      "tracking URI: expected http(s)://host[:port][/prefix] without query or fragment",
    );
  }
  const auth =
    url.username === "" && url.password === ""
      ? undefined
      : { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  return { baseUrl: url.origin + url.pathname.replace(/\/+$/, ""), auth };
}

function environmentAuth(env: Readonly<Record<string, string | undefined>>): Auth {
  const username = env.MLFLOW_TRACKING_USERNAME;
  const password = env.MLFLOW_TRACKING_PASSWORD;
  const token = env.MLFLOW_TRACKING_TOKEN;
  return { ...(username && { username }), ...(password && { password }), ...(token && { token }) };
}

/** @throws MlflowConfigError for a value that MLflow would not take either */
function isSet(env: Readonly<Record<string, string | undefined>>, name: string): boolean {
  const value = (env[name] ?? "").toLowerCase();
  if (["", "false", "0"].includes(value)) return false;
  if (["true", "1"].includes(value)) return true;
  throw new MlflowConfigError("INVALID_SETTING", `${name}: expected true, false, 1 or 0, got ${JSON.stringify(value)}`);
}

function authorizationHeader(auth: Auth): string | undefined {
  const { username, password, token } = auth;
  for (const [name, value] of Object.entries({ username, password, token })) {
    // A newline would make fetch throw an error that quotes the whole header.
    if (value !== undefined && /\p{Cc}/u.test(value)) {
      throw new MlflowConfigError("INVALID_CREDENTIALS", `auth: the ${name} contains a control character (a newline?)`);
    }
  }
  if (username !== undefined && password !== undefined) {
    return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
  }
  if (username !== undefined || password !== undefined) {
    const missing = username === undefined ? "username" : "password";
    throw new MlflowConfigError(
      "INCOMPLETE_CREDENTIALS",
      `auth: username and password go together, the ${missing} is missing`,
    );
  }
  return token === undefined ? undefined : `Bearer ${token}`;
}

async function hookHeaders(hook: ConnectionOptions["headers"]): Promise<Headers> {
  const extra = hook === undefined ? {} : await hook();
  try {
    return new Headers({ ...extra });
  } catch {
    // No cause: it would quote the value.
    throw new MlflowConfigError(
      "INVALID_HEADERS",
      `headers(): not valid as HTTP headers: ${Object.keys(extra).join(", ")}`,
    );
  }
}

function secretsOf(auth: Auth, authorization: string | undefined): string[] {
  const encoded = authorization?.slice(authorization.indexOf(" ") + 1);
  // Shorter ones would garble every message without hiding anything.
  return [encoded, auth.token, auth.password].flatMap((secret) => (secret && secret.length >= 4 ? [secret] : []));
}
