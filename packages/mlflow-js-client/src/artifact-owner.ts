// Whose files they are, a run's or a logged model's: where the server keeps them, and what it lists there.

import { decodeFileInfo, list } from "./decode.ts";
import type { CallOptions, MlflowHttp } from "./http.ts";
import { getLoggedModel } from "./models.ts";
import { paginate } from "./pages.ts";
import { getRun } from "./runs.ts";
import type { FileInfo } from "./types.ts";

export type ArtifactOwner = { readonly runId: string } | { readonly modelId: string };

export async function artifactUriOf(http: MlflowHttp, owner: ArtifactOwner, call: CallOptions): Promise<string> {
  if ("runId" in owner) return (await getRun(http, owner.runId, call)).info.artifactUri;
  return (await getLoggedModel(http, owner.modelId, call)).artifactLocation;
}

/** One level of a folder; nothing for a folder that does not exist. */
export function listFolder(
  http: MlflowHttp,
  owner: ArtifactOwner,
  path: string | undefined,
  call: CallOptions,
): AsyncGenerator<FileInfo> {
  return paginate("listArtifacts", async (pageToken) => {
    const page = pageToken === undefined ? {} : { page_token: pageToken };
    const { files, next_page_token } =
      "runId" in owner
        ? await http.call("listArtifacts", { run_id: owner.runId, ...(path !== undefined && { path }), ...page }, call)
        : await http.call(
            "listLoggedModelArtifacts",
            { model_id: owner.modelId, ...(path !== undefined && { artifact_directory_path: path }), ...page },
            call,
          );
    return { items: list("files", files).map(decodeFileInfo), nextPageToken: next_page_token };
  });
}
