// Which code made a trial: the commits of the checkouts that its last attempt ran in.
import type { TrialEnvironment } from "@merclab/runner";

/** Of a trial that tells no commit: of an older version, or run where there is no checkout. */
export const UNKNOWN_CODE = "unknown";

/**
 * merclab's own checkout, then the one that the command ran in where that is another, each as "merclab 1f2e3d4c5b6a", with
 * "-dirty" where files that git tracks differed from the commit.
 */
export function codeStates(environment: TrialEnvironment | undefined): string[] {
  const merclab = environment?.origin.merclab.git;
  const own = environment?.origin.git;
  const states = [
    ...(merclab === undefined ? [] : [`merclab ${stateText(merclab)}`]),
    ...(own === undefined || own.commit === merclab?.commit ? [] : [`checkout ${stateText(own)}`]),
  ];
  return states.length === 0 ? [UNKNOWN_CODE] : states;
}

type Checkout = NonNullable<TrialEnvironment["origin"]["git"]>;

function stateText({ commit, dirty }: Checkout): string {
  return `${commit.slice(0, 12)}${dirty ? "-dirty" : ""}`;
}
