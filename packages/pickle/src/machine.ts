// The pickle machine: a stack, marks and a memo. It runs opcodes only; what a global may stand for is decided in
// globals.ts, and nothing that a pickle names is ever looked up anywhere else.
import { getHeapStatistics } from "node:v8";
import type { Cursor } from "./cursor.ts";
import { PickleError } from "./errors.ts";
import { build, findGlobal, structuredArray } from "./globals.ts";
import { floatFromText, intFromText, longFromBytes, longFromText } from "./integers.ts";
import { OP } from "./opcodes.ts";
import { Bytes } from "./source.ts";
import { Arguments, Global, Internal, itemsOf, type LoadNested, PendingDType, type StackItem } from "./stack.ts";
import { quotedString, rawUnicode, utf8 } from "./text.ts";
import type { PickleKey, PickleValue } from "./values.ts";

export interface MachineOptions {
  /** Buffers that were stored beside the pickle, in order (protocol 5). */
  readonly buffers?: Iterable<Uint8Array> | undefined;
  /** What a persistent id stands for; refused without it. */
  readonly persistent?: ((id: StackItem) => StackItem) | undefined;
}

/** Texts at least this long are not kept in the memo, but read again where they are referred to. */
const LONG_TEXT = 1024;

/** A long text in the memo. */
class MemoText {
  readonly start: number;
  readonly length: number;
  readonly decode: (bytes: Buffer) => string;
  text: string | undefined;

  constructor(start: number, length: number, decode: (bytes: Buffer) => string) {
    this.start = start;
    this.length = length;
    this.decode = decode;
  }
}

const latin1 = (bytes: Buffer): string => bytes.toString("latin1");

/** Stands in the memo for arguments of calls. */
const FORGOTTEN = new Arguments([]);

/** Opcodes between two looks at the memory that is left. */
const HEAP_CHECK = 1 << 14;

export class Machine {
  private readonly cursor: Cursor;
  private readonly buffers: Iterator<Uint8Array> | undefined;
  private readonly persistent: MachineOptions["persistent"];
  private readonly stack: StackItem[] = [];
  private readonly marks: number[] = [];
  /** Entries in the order of their numbers, as every pickler writes them; others in `strayMemo`. */
  private readonly memo: (StackItem | MemoText)[] = [];
  private readonly strayMemo = new Map<number, StackItem | MemoText>();
  private lastLongText: { readonly text: string; readonly memo: MemoText } | undefined;

  constructor(cursor: Cursor, { buffers, persistent }: MachineOptions = {}) {
    this.cursor = cursor;
    this.buffers = buffers?.[Symbol.iterator]();
    this.persistent = persistent;
  }

  /** Runs to the end of one pickle. @throws PickleError */
  run(): PickleValue {
    const { cursor, stack } = this;
    for (let steps = 1; ; steps++) {
      const opcode = cursor.byte();
      if (opcode === OP.STOP) {
        return this.value(this.pop());
      }
      this.step(opcode);
      if (steps % HEAP_CHECK === 0) {
        checkHeap();
        if (stack.length > 2 ** 27) {
          throw new PickleError("limit", "the pickle stacks up more than 134 million values");
        }
      }
    }
  }

  private step(opcode: number): void {
    const { cursor, stack } = this;
    switch (opcode) {
      // Structure
      case OP.PROTO: {
        const version = cursor.byte();
        if (version > 5) {
          throw this.damaged(`protocol ${version} does not exist; known are 0 to 5`);
        }
        return;
      }
      case OP.FRAME:
        cursor.length64();
        return;
      case OP.MARK:
        this.marks.push(stack.length);
        return;
      case OP.POP:
        if (stack.length > 0 && stack.length === this.marks.at(-1)) {
          this.marks.pop();
        } else {
          this.pop();
        }
        return;
      case OP.POP_MARK:
        this.popToMark();
        return;
      case OP.DUP:
        stack.push(this.top());
        return;

      // Memo
      case OP.PUT:
        this.put(this.memoIndex(cursor.line()));
        return;
      case OP.BINPUT:
        this.put(cursor.byte());
        return;
      case OP.LONG_BINPUT:
        this.put(cursor.uint32());
        return;
      case OP.MEMOIZE:
        this.put(this.memo.length + this.strayMemo.size);
        return;
      case OP.GET:
        this.get(this.memoIndex(cursor.line()));
        return;
      case OP.BINGET:
        this.get(cursor.byte());
        return;
      case OP.LONG_BINGET:
        this.get(cursor.uint32());
        return;

      // Constants and numbers
      case OP.NONE:
        stack.push(null);
        return;
      case OP.NEWTRUE:
        stack.push(true);
        return;
      case OP.NEWFALSE:
        stack.push(false);
        return;
      case OP.INT:
        stack.push(intFromText(cursor.line()));
        return;
      case OP.LONG:
        stack.push(longFromText(cursor.line()));
        return;
      case OP.FLOAT:
        stack.push(floatFromText(cursor.line()));
        return;
      case OP.BININT:
        stack.push(cursor.int32());
        return;
      case OP.BININT1:
        stack.push(cursor.byte());
        return;
      case OP.BININT2:
        stack.push(cursor.uint16());
        return;
      case OP.LONG1:
        stack.push(longFromBytes(cursor.bytes(cursor.byte())));
        return;
      case OP.LONG4:
        stack.push(longFromBytes(cursor.bytes(this.length32())));
        return;
      case OP.BINFLOAT:
        stack.push(cursor.float64());
        return;

      // Text and bytes
      case OP.STRING:
        stack.push(quotedString(cursor.line()));
        return;
      case OP.UNICODE:
        stack.push(rawUnicode(cursor.line()));
        return;
      case OP.BINSTRING:
        this.pushText(this.length32(), latin1);
        return;
      case OP.SHORT_BINSTRING:
        this.pushText(cursor.byte(), latin1);
        return;
      case OP.SHORT_BINUNICODE:
        this.pushText(cursor.byte(), utf8);
        return;
      case OP.BINUNICODE:
        this.pushText(cursor.uint32(), utf8);
        return;
      case OP.BINUNICODE8:
        this.pushText(cursor.length64(), utf8);
        return;
      case OP.SHORT_BINBYTES:
        stack.push(cursor.span(cursor.byte()));
        return;
      case OP.BINBYTES:
        stack.push(cursor.span(cursor.uint32()));
        return;
      case OP.BINBYTES8:
      case OP.BYTEARRAY8:
        stack.push(cursor.span(cursor.length64()));
        return;
      case OP.NEXT_BUFFER:
        stack.push(this.nextBuffer());
        return;
      case OP.READONLY_BUFFER:
        this.top();
        return;

      // Tuples, lists, dicts, sets
      case OP.EMPTY_TUPLE:
      case OP.EMPTY_LIST:
        stack.push([]);
        return;
      case OP.TUPLE:
      case OP.LIST:
        this.pushTuple(this.popToMark());
        return;
      case OP.TUPLE1:
        this.pushTuple([this.pop()]);
        return;
      case OP.TUPLE2: {
        const second = this.pop();
        this.pushTuple([this.pop(), second]);
        return;
      }
      case OP.TUPLE3: {
        const third = this.pop();
        const second = this.pop();
        this.pushTuple([this.pop(), second, third]);
        return;
      }
      case OP.APPEND: {
        const item = this.value(this.pop());
        this.list().push(item);
        return;
      }
      case OP.APPENDS:
        this.appends();
        return;
      case OP.EMPTY_DICT:
        stack.push(new Map());
        return;
      case OP.DICT: {
        const items = this.popToMark();
        const map = new Map<PickleKey, PickleValue>();
        this.setItems(map, items);
        stack.push(map);
        return;
      }
      case OP.SETITEM: {
        const value = this.pop();
        const key = this.pop();
        this.setItems(this.dict(), [key, value]);
        return;
      }
      case OP.SETITEMS: {
        const items = this.popToMark();
        this.setItems(this.dict(), items);
        return;
      }
      case OP.EMPTY_SET:
        stack.push(new Set<PickleValue>());
        return;
      case OP.FROZENSET:
        stack.push(new Set(this.values(this.popToMark())));
        return;
      case OP.ADDITEMS: {
        const items = this.values(this.popToMark());
        const set = this.top();
        if (!(set instanceof Set)) {
          throw this.damaged("items are added to something that is no set");
        }
        for (const item of items) {
          set.add(item);
        }
        return;
      }

      // Globals: what may be named and called is decided in globals.ts
      case OP.GLOBAL: {
        const start = cursor.position - 1;
        const module = cursor.line();
        stack.push(findGlobal(module, cursor.line(), start));
        return;
      }
      case OP.STACK_GLOBAL: {
        const name = this.pop();
        const module = this.pop();
        if (typeof name !== "string" || typeof module !== "string") {
          throw this.damaged("a global is named by something that is no text");
        }
        stack.push(findGlobal(module, name, cursor.position - 1));
        return;
      }
      case OP.INST: {
        const start = cursor.position - 1;
        const module = cursor.line();
        const found = findGlobal(module, cursor.line(), start);
        stack.push(this.call(found, this.popToMark()));
        return;
      }
      case OP.OBJ: {
        const [callee, ...args] = this.popToMark();
        stack.push(this.call(callee, args));
        return;
      }
      case OP.REDUCE:
      case OP.NEWOBJ: {
        const args = itemsOf(this.pop());
        if (args === undefined) {
          throw this.damaged("a call has no list of arguments");
        }
        stack.push(this.call(this.pop(), args));
        return;
      }
      case OP.BUILD: {
        const state = this.pop();
        build(this.top(), state);
        return;
      }
      case OP.NEWOBJ_EX:
        throw this.refused("an object with keyword arguments");
      case OP.EXT1:
      case OP.EXT2:
      case OP.EXT4:
        throw this.refused("an entry of Python's extension registry");
      case OP.PERSID:
        stack.push(this.resolvePersistent(cursor.line()));
        return;
      case OP.BINPERSID:
        stack.push(this.resolvePersistent(this.pop()));
        return;
      default:
        throw this.damaged(
          `byte 0x${opcode.toString(16).padStart(2, "0")} is no opcode: this is no pickle, or a damaged one`,
        );
    }
  }

  private readonly loadNested: LoadNested = (cursor, persistent) => new Machine(cursor, { persistent }).run();

  private call(callee: StackItem | undefined, args: readonly StackItem[]): StackItem {
    if (!(callee instanceof Global)) {
      throw this.damaged("something is called that is no global");
    }
    return callee.call(args, this.loadNested);
  }

  private resolvePersistent(id: StackItem): StackItem {
    if (this.persistent === undefined) {
      throw this.refused("an object that is stored outside of it (a persistent id)");
    }
    return this.persistent(id);
  }

  private nextBuffer(): Bytes {
    const next = this.buffers?.next();
    if (next === undefined || next.done === true) {
      const message =
        "the pickle keeps arrays in buffers outside of it (protocol 5, out of band), and they were not given";
      throw new PickleError("unsupported", message, { position: this.cursor.position - 1 });
    }
    return Bytes.of(next.value);
  }

  private pushText(length: number, decode: (bytes: Buffer) => string): void {
    const { cursor } = this;
    const start = cursor.position;
    if (length > 2 ** 29 - 32) {
      throw new PickleError(
        "unsupported",
        `a text of ${length} bytes is too long; save arrays with protocol 3 or later`,
        {
          position: start,
        },
      );
    }
    const text = decode(cursor.bytes(length));
    if (length >= LONG_TEXT) {
      this.lastLongText = { text, memo: new MemoText(start, length, decode) };
    }
    this.stack.push(text);
  }

  /** Arguments of calls are forgotten: no pickler refers to them again, and they would crowd the memory. */
  private put(index: number): void {
    const top = this.top();
    const item = top instanceof Arguments ? FORGOTTEN : top;
    const long = this.lastLongText;
    const entry = long !== undefined && long.text === item ? long.memo : item;
    this.lastLongText = undefined;
    if (index < this.memo.length || (index === this.memo.length && !this.strayMemo.has(index))) {
      this.memo[index] = entry;
    } else {
      this.strayMemo.set(index, entry);
    }
  }

  private get(index: number): void {
    const item = index < this.memo.length ? this.memo[index] : this.strayMemo.get(index);
    if (item === undefined) {
      throw this.damaged(`it refers to entry ${index} of its memo, which it never wrote`);
    }
    if (item === FORGOTTEN) {
      throw new PickleError("unsupported", "the pickle uses the arguments of one call for another", {
        position: this.cursor.position,
      });
    }
    if (item instanceof MemoText) {
      item.text ??= item.decode(this.cursor.reread(item.start, item.length));
      this.stack.push(item.text);
    } else {
      this.stack.push(item);
    }
  }

  private memoIndex(line: string): number {
    if (!/^\d{1,10}$/.test(line)) {
      throw this.damaged("an entry of its memo is not numbered");
    }
    return Number(line);
  }

  private length32(): number {
    const length = this.cursor.int32();
    if (length < 0) {
      throw this.damaged(`a length of ${length} bytes is announced`);
    }
    return length;
  }

  private pop(): StackItem {
    const item = this.stack.pop();
    if (item === undefined || this.stack.length < (this.marks.at(-1) ?? 0)) {
      throw this.damaged("its stack runs empty");
    }
    return item;
  }

  private pushTuple(items: StackItem[]): void {
    for (const item of items) {
      if (item instanceof Internal) {
        this.stack.push(new Arguments(items));
        return;
      }
    }
    this.stack.push(items as PickleValue[]);
  }

  private top(): StackItem {
    const item = this.stack[this.stack.length - 1];
    if (item === undefined || this.stack.length <= (this.marks.at(-1) ?? 0)) {
      throw this.damaged("its stack runs empty");
    }
    return item;
  }

  private popToMark(): StackItem[] {
    const mark = this.marks.pop();
    if (mark === undefined) {
      throw this.damaged("a mark is missing");
    }
    const { stack } = this;
    const count = stack.length - mark;
    const items = new Array<StackItem>(count);
    for (let at = count - 1; at >= 0; at--) {
      items[at] = stack.pop() as StackItem;
    }
    return items;
  }

  /** A list of numbers is filled one by one: it then takes 8 bytes a number. */
  private appends(): void {
    const mark = this.marks.pop();
    const { stack } = this;
    const list = stack[(mark ?? 0) - 1];
    if (mark === undefined || !Array.isArray(list)) {
      throw this.damaged("items are appended to something that is no list");
    }
    for (let at = mark; at < stack.length; at++) {
      list.push(this.value(stack[at] as StackItem));
    }
    while (stack.length > mark) {
      stack.pop();
    }
  }

  private list(): PickleValue[] {
    const list = this.top();
    if (!Array.isArray(list)) {
      throw this.damaged("an item is appended to something that is no list");
    }
    return list;
  }

  private dict(): Map<PickleKey, PickleValue> {
    const dict = this.top();
    if (!(dict instanceof Map)) {
      throw this.damaged("a key is set in something that is no dict");
    }
    return dict;
  }

  private setItems(dict: Map<PickleKey, PickleValue>, items: readonly StackItem[]): void {
    if (items.length % 2 !== 0) {
      throw this.damaged("a key of a dict has no value");
    }
    const [, first] = items;
    if (first instanceof Arguments && first.items[0] instanceof PendingDType) {
      throw structuredArray(items.filter((_, at) => at % 2 === 0));
    }
    for (let at = 0; at < items.length; at += 2) {
      dict.set(this.value(items[at] as StackItem), this.value(items[at + 1] as StackItem));
    }
  }

  private values(items: readonly StackItem[]): PickleValue[] {
    return items.map((item) => this.value(item));
  }

  /** @throws PickleError when the item holds something that is no data */
  private value(item: StackItem): PickleValue {
    if (item instanceof Internal) {
      const message = `the pickle holds ${item.title} as a value, which is no plain data`;
      throw new PickleError("unsupported", message, { position: this.cursor.position });
    }
    return item;
  }

  private refused(what: string): PickleError {
    return new PickleError("refused", `the pickle asks for ${what}: it is refused`, {
      position: this.cursor.position - 1,
    });
  }

  private damaged(message: string): PickleError {
    return new PickleError("damaged", `the pickle is damaged: ${message}`, { position: this.cursor.position });
  }
}

function checkHeap(): void {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  // The limit counts the young generation, too (48 MB), which fills and empties all the time.
  if (used > 0.9 * limit - 64e6) {
    throw new PickleError(
      "limit",
      `the pickle needs more than the ${Math.round(limit / 2 ** 20)} MB that Node may use; NODE_OPTIONS=--max-old-space-size=… raises it`,
    );
  }
}
