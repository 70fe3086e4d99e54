// Where the nodes of a graph ran and how long they took: ONNX Runtime's own profile of one run, kept in a folder of
// temporary files until it is read.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UNCONVERTED } from "./graph-run.ts";

export interface Profile {
  /** Nodes after ONNX Runtime's optimiser, by the provider that ran them. */
  readonly placement: Readonly<Record<string, number>>;
  /**
   * Milliseconds of one run by ONNX op and provider, the slowest first. On a device these are what the host took to
   * hand the work over, not what the device took for it.
   */
  readonly slowestOps: readonly { readonly op: string; readonly provider: string; readonly ms: number }[];
}

const SLOWEST = 10;

/** A folder that a session writes its profile to. */
export class ProfileFolder {
  private readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<ProfileFolder> {
    return new ProfileFolder(await mkdtemp(join(tmpdir(), `tfjs-jit-profile-${process.pid}-`)));
  }

  /** What the names of the session's files begin with. */
  get prefix(): string {
    return join(this.folder, "profile");
  }

  /** The profile that the session has ended. */
  async read(): Promise<Profile> {
    const [name] = await readdir(this.folder);
    if (name === undefined) {
      throw new Error(`ONNX Runtime wrote no profile to ${this.folder}`);
    }
    return profileOf(JSON.parse(await readFile(join(this.folder, name), "utf8")) as ProfileEvent[]);
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}

interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: { readonly provider?: string; readonly op_name?: string };
}

function profileOf(events: readonly ProfileEvent[]): Profile {
  const placement: Record<string, number> = {};
  const times = new Map<string, { op: string; provider: string; ms: number }>();
  for (const { cat, name, dur, args } of events) {
    if (cat !== "Node" || !name.endsWith("_kernel_time") || args?.provider === undefined) {
      continue;
    }
    if (name.startsWith(UNCONVERTED)) {
      continue; // no part of the function
    }
    const { provider, op_name: op = "?" } = args;
    placement[provider] = (placement[provider] ?? 0) + 1;
    const key = `${provider} ${op}`;
    const known = times.get(key) ?? { op, provider, ms: 0 };
    known.ms += dur / 1000;
    times.set(key, known);
  }
  const slowestOps = [...times.values()].sort((a, b) => b.ms - a.ms).slice(0, SLOWEST);
  return { placement, slowestOps };
}
