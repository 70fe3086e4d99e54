// Recurrent and graph encoders against PyTorch: streams and gradients of fixtures/hosts_reference.py, whose graphs go edge
// by edge and whose attention sees the whole history.
import { valueAndGradients } from "@merclab/core";
import { add, dispose, mul, sum, type Tensor, type Tensor2D, tensor } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import reference from "./fixtures/hosts.json" with { type: "json" };
import {
  type Batch,
  createEncoder,
  ENGINES,
  expectClose,
  startEngine,
  toInputs,
  toTensors,
  type Values,
} from "./support.ts";

const { lengths, speakers, numSpeakers, features, present } = reference;
const SITE = {
  modalities: [
    { name: "text", dim: 3 },
    { name: "audio", dim: 2 },
  ],
  numSpeakers,
};
const batches: Readonly<Record<string, Batch>> = {
  "as they are": { lengths, speakers, features, present },
  "with padding": { lengths, speakers, features, present, bucket: { tokens: 12, time: 7 } },
};

const cases = reference.cases.map(({ encoder, options, parameters, streams, upstream, gradients }) => ({
  name: `${encoder} ${JSON.stringify(options)}`,
  encoder,
  options,
  parameters: parameters as unknown as Values,
  streams: streams as unknown as Values,
  upstream: upstream as unknown as Values,
  gradients: gradients as unknown as Values,
}));

describe.each(ENGINES)("PyTorch's numbers on %s", (backend) => {
  beforeAll(() => startEngine(backend));

  describe.each(Object.entries(batches))("dialogues %s", (_, batch) => {
    it.each(cases)("$name", ({ encoder: name, options, parameters, streams, upstream, gradients }) => {
      const encoder = createEncoder(name, options, SITE);
      expect(Object.fromEntries(encoder.parameters.map((spec) => [spec.name, [...spec.shape]]))).toEqual(
        Object.fromEntries(Object.entries(parameters).map(([each, { shape }]) => [each, shape])),
      );
      const tensors = toTensors(parameters);
      const inputs = toInputs(batch);
      const made = encoder.apply(tensors, inputs, {});
      const tokens = speakers.length;
      for (const [stream, { data }] of Object.entries(streams)) {
        const rows = (made[stream] as Tensor2D).arraySync().slice(0, tokens);
        expectClose(rows.flat(), data, 1e-5, stream);
      }
      const { gradients: found, value } = valueAndGradients(() => {
        const all = encoder.apply(tensors, inputs, {});
        return Object.entries(upstream)
          .map(([stream, { shape, data }]) => {
            const rows = [...data, ...new Array((inputs.layout.tokens - tokens) * (shape[1] ?? 0)).fill(0)];
            return sum(mul(all[stream] as Tensor2D, tensor(rows, [inputs.layout.tokens, shape[1] ?? 0])));
          })
          .reduce((total, term) => add(total, term));
      }, tensors);
      for (const [parameter, { data }] of Object.entries(gradients)) {
        const largest = Math.max(1, ...data.map(Math.abs));
        expectClose([...(found[parameter] as Tensor).dataSync()], data, 2e-5 * largest, parameter);
      }
      dispose([value, found, made, tensors]);
    });
  });
});
