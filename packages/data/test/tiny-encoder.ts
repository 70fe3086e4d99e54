// A text encoder made here: five words, token vectors looked up in a table. Small enough to work its answers out by hand.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs";

/** Token n has the vector [n, 10 n, 1]. */
export const WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello", "world", "how", "are", "you"] as const;

const SCHEMA = `syntax = "proto3";
message ModelProto { int64 ir_version = 1; repeated OperatorSetIdProto opset_import = 8; GraphProto graph = 7; }
message OperatorSetIdProto { string domain = 1; int64 version = 2; }
message GraphProto {
  repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
}
message NodeProto { repeated string input = 1; repeated string output = 2; string op_type = 4; }
message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
message ValueInfoProto { string name = 1; TypeProto type = 2; }
message TypeProto { Tensor tensor_type = 1; message Tensor { int32 elem_type = 1; Shape shape = 2; } }
message Shape { repeated Dimension dim = 1; }
message Dimension { int64 dim_value = 1; string dim_param = 2; }`;

const FLOAT = 1;
const INT64 = 7;

/** Writes tokenizer.json, tokenizer_config.json and onnx/model.onnx, as repositories on the Hub have them. */
export function writeTinyEncoder(folder: string, inputs: readonly string[] = ["input_ids", "attention_mask"]): void {
  mkdirSync(join(folder, "onnx"), { recursive: true });
  const model = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType("ModelProto");
  const table = Float32Array.from(WORDS.flatMap((_, token) => [token, 10 * token, 1]));
  const value = (name: string, type: number, dims: readonly (string | number)[]) => ({
    name,
    type: {
      tensor_type: {
        elem_type: type,
        shape: { dim: dims.map((dim) => (typeof dim === "string" ? { dim_param: dim } : { dim_value: dim })) },
      },
    },
  });
  const graph = {
    name: "tiny",
    node: [{ op_type: "Gather", input: ["table", "input_ids"], output: ["last_hidden_state"] }],
    initializer: [{ name: "table", dims: [WORDS.length, 3], data_type: FLOAT, raw_data: new Uint8Array(table.buffer) }],
    input: inputs.map((name) => value(name, INT64, ["batch", "tokens"])),
    output: [value("last_hidden_state", FLOAT, ["batch", "tokens", 3])],
  };
  const bytes = model.encode(model.fromObject({ ir_version: 8, opset_import: [{ version: 17 }], graph })).finish();
  writeFileSync(join(folder, "onnx/model.onnx"), bytes);
  const special = (id: number) => ({ id: WORDS[id], ids: [id], tokens: [WORDS[id]] });
  const tokenizer = {
    version: "1.0",
    added_tokens: [0, 1, 2, 3].map((id) => ({ id, content: WORDS[id], special: true })),
    normalizer: { type: "Lowercase" },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [
        { SpecialToken: { id: "[CLS]", type_id: 0 } },
        { Sequence: { id: "A", type_id: 0 } },
        { SpecialToken: { id: "[SEP]", type_id: 0 } },
      ],
      pair: [],
      special_tokens: { "[CLS]": special(2), "[SEP]": special(3) },
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(WORDS.map((word, id) => [word, id])),
    },
  };
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  const config = { tokenizer_class: "BertTokenizer", pad_token: "[PAD]", model_max_length: 5 };
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(config));
}
