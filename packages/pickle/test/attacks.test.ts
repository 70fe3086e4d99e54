// Pickles that want more than to be read. Written by hand, opcode by opcode, as an attacker would.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import { PickleError, readPickle } from "../src/index.ts";

/** Text is latin1, numbers are bytes. */
function bytes(...parts: (string | number | Uint8Array)[]): Buffer {
  return Buffer.concat(
    parts.map((part) =>
      typeof part === "string" ? Buffer.from(part, "latin1") : typeof part === "number" ? Buffer.of(part) : part,
    ),
  );
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

function uint64(value: bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(value);
  return buffer;
}

const short = (text: string): Buffer => bytes(0x8c, text.length, text);

function errorOf(pickle: Uint8Array): PickleError {
  try {
    readPickle(pickle);
  } catch (error) {
    if (error instanceof PickleError) {
      return error;
    }
    throw error;
  }
  throw new Error("the pickle was read");
}

describe("any other global is refused by name", () => {
  const cases: [string, string, Buffer][] = [
    ["called", "os.system", bytes("cos\nsystem\n(S'echo pwned'\ntR.")],
    ["only named", "os.system", bytes(0x80, 4, short("os"), short("system"), 0x93, ".")],
    ["named as an old-style class", "os.system", bytes("(S'echo pwned'\nios\nsystem\n.")],
    ["as Python 2 wrote it", "posix.system", bytes("cposix\nsystem\n(S'id'\ntR.")],
    ["built in, and dangerous", "builtins.eval", bytes(0x80, 4, short("builtins"), short("eval"), 0x93, ".")],
    ["hidden behind getattr", "builtins.getattr", bytes("cbuiltins\ngetattr\n.")],
    ["a name with dots", "numpy.ndarray.tofile", bytes(0x80, 4, short("numpy"), short("ndarray.tofile"), 0x93, ".")],
    ["of JavaScript", "__proto__.constructor", bytes("c__proto__\nconstructor\n.")],
    ["a project's class", "utils.Utterance", bytes(0x80, 2, "cutils\nUtterance\n", ")", 0x81, ".")],
    ["inside a torch storage", "os.system", torchStorage(bytes("cos\nsystem\n."))],
  ];
  test.each(cases)("%s", (_, name, pickle) => {
    const error = errorOf(pickle);
    expect(error.code).toBe("refused");
    expect(error.global).toBe(name);
    expect(error.message).toContain(name);
  });

  test("Python would have run it", () => {
    const python = process.env.MERCLAB_PYTHON ?? "python3";
    const code = "import pickle,sys,base64; pickle.loads(base64.b64decode(sys.argv[1]))";
    const pickle = bytes("cos\nsystem\n(S'echo pwned'\ntR.").toString("base64");
    let printed: string;
    try {
      printed = execFileSync(python, ["-c", code, pickle], { encoding: "utf8" });
    } catch {
      return; // no Python here: nothing to compare with
    }
    expect(printed).toBe("pwned\n");
  });
});

function torchStorage(nested: Buffer): Buffer {
  const load = bytes(short("torch.storage"), short("_load_from_bytes"), 0x93);
  return bytes(0x80, 4, load, "C", nested.length, nested, 0x85, "R.");
}

test("persistent ids, extension codes and keyword arguments are refused", () => {
  for (const pickle of [
    bytes("Pabc\n."),
    bytes("K\x01Q."),
    bytes(0x82, 1, "."),
    bytes("cbuiltins\nset\n)}", 0x92, "."),
  ]) {
    expect(errorOf(pickle).code).toBe("refused");
  }
});

test("names and types are no values: alone, in a list, a dict, a tuple, or where a list is made of them", () => {
  const set = "cbuiltins\nset\n";
  const type = "cnumpy\ndtype\n(S'f4'\ntR";
  for (const pickle of [
    `${set}.`,
    `](${set}e.`,
    `]${set}a.`,
    `}K\x01${set}s.`,
    `(${set}t.`,
    `(((${set}ttt.`,
    `](${set}\x85e.`,
    `${type}.`,
    `cbuiltins\nlist\n(((${set}ttttR.`,
    `cbuiltins\nlist\n(((${set}tltR.`,
    `\x8f(${set}\x90.`,
  ]) {
    expect(() => readPickle(bytes(pickle))).toThrow(PickleError);
  }
});

test("keys that mean something to JavaScript are keys", () => {
  const map = readPickle(bytes("(S'__proto__'\nK\x01S'constructor'\nK\x02d.")) as Map<string, number>;
  expect([...map]).toEqual([
    ["__proto__", 1],
    ["constructor", 2],
  ]);
  expect(({} as Record<string, unknown>)["1"]).toBeUndefined();
});

describe("lengths are checked before anything is allocated", () => {
  test.each([
    ["bytes", bytes("B", uint32(0xffffffff), "x.")],
    ["8-byte lengths", bytes(0x8e, uint64(2n ** 62n), "x.")],
    ["lengths beyond any file", bytes(0x8e, uint64(2n ** 64n - 1n), "x.")],
    ["text", bytes("X", uint32(0x0ffffff0), "x.")],
    ["byte arrays", bytes(0x96, uint64(2n ** 40n), "x.")],
    ["negative lengths", bytes("T", uint32(0x80000000), "x.")],
    ["long integers", bytes(0x8b, uint32(0x7fffffff), "x.")],
    ["lines", bytes("I", "1".repeat(100))],
    ["nothing", bytes()],
    ["no end", bytes("]")],
  ])("%s", (_, pickle) => {
    expect(errorOf(pickle).code).toBe("damaged");
  });

  test("text longer than a string can be", () => {
    expect(errorOf(bytes(0x8d, uint64(2n ** 40n), "x.")).code).toBe("unsupported");
  });

  test("integers of a million digits", () => {
    expect(errorOf(bytes("L", "9".repeat(1_000_000), "L\n.")).code).toBe("limit");
    expect(errorOf(bytes(0x8b, uint32(1_000_000), Buffer.alloc(1_000_000, 1), ".")).code).toBe("limit");
  });

  test("arrays whose shape does not fit their bytes", () => {
    const array = (shape: string, content: string): Buffer =>
      bytes(
        "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tS'b'\ntR",
        `(K\x01${shape}cnumpy\ndtype\n(S'f4'\ntR(K\x03S'<'\nNNNtb`,
        `I00\n${content}tb.`,
      );
    expect(readPickle(array("(K\x01t", "S'abcd'\n"))).toMatchObject({ shape: [1] });
    for (const shape of [
      "(K\x02t",
      "(I4000000000\nI4000000000\nt",
      "(I-1\nt",
      "(I0\nI99999999999999\nt",
      "(F0.5\nt",
      "N",
      "(Nt",
    ]) {
      expect(errorOf(array(shape, "S'abcd'\n")).code).toBe("damaged");
    }
    expect(errorOf(array("(K\x01t", "]")).code).toBe("damaged");
  });
});

test("a million nested lists, marks and shared doublings end at once", () => {
  const many = 1_000_000;
  const nested = bytes("]", Buffer.alloc(many, 0x85), ".");
  const start = performance.now();
  readPickle(nested);
  expect(errorOf(bytes("(".repeat(many), ".")).code).toBe("damaged");
  readPickle(bytes("]", `2\x86`.repeat(10_000), "."));
  expect(performance.now() - start).toBeLessThan(3000);
});

test("ends in an error before Node runs out of memory", () => {
  const code = `
    import { readPickle } from ${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)};
    try {
      readPickle(Buffer.concat([Buffer.alloc(5_000_000, "}"), Buffer.from(".")]));
    } catch (error) {
      console.log(error.code);
    }`;
  const tsx = createRequire(import.meta.url).resolve("tsx/esm");
  const printed = execFileSync(
    process.execPath,
    ["--max-old-space-size=100", "--import", tsx, "--input-type=module", "-e", code],
    { encoding: "utf8" },
  );
  expect(printed).toBe("limit\n");
});
