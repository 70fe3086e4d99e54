// Version of this package, equal to that in package.json (a test compares them), for the User-Agent header.

export const VERSION = "0.1.0";
export const USER_AGENT = `mlflow-js-client/${VERSION}`;
