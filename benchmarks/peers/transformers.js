// transformers.js, by its own generate().
// IDS, PROMPT, LENGTH and the model's sizes are put before this by benchmarks/browser.py.

import { AutoModelForCausalLM, Tensor, env } from "./node_modules/@huggingface/transformers/dist/transformers.min.js";
env.allowRemoteModels = false;
env.allowLocalModels = true;
env.localModelPath = "models/";
env.backends.onnx.wasm.numThreads = 1;
env.backends.onnx.wasm.wasmPaths = new URL("./node_modules/@huggingface/transformers/node_modules/onnxruntime-web/dist/", location.href).href;
const model = await AutoModelForCausalLM.from_pretrained("storyteller", { dtype: "fp32", device: "wasm" });
window.run = async () => {
  const ids = BigInt64Array.from(IDS.map(BigInt));
  const inputs = {
    input_ids: new Tensor("int64", ids, [1, ids.length]),
    attention_mask: new Tensor("int64", ids.map(() => 1n), [1, ids.length]),
  };
  let first = 0, count = 0;
  const streamer = { put() { count += 1; if (count === 2) first = performance.now(); }, end() {} };
  await model.generate({ ...inputs, max_new_tokens: LENGTH, min_new_tokens: LENGTH, do_sample: false, streamer });
  return (LENGTH - 1) / (performance.now() - first) * 1000;
};
