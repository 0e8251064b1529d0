// onnxruntime-web: a cache whose first axis is time, so that nothing is copied.
// IDS, PROMPT, LENGTH and the model's sizes are put before this by benchmarks/browser.py.

import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = new URL("./node_modules/onnxruntime-web/dist/", location.href).href;
const session = await ort.InferenceSession.create("own.onnx");
window.run = async () => {
  const size = LAYERS * 2 * HIDDEN, cache = new Float32Array(512 * size);
  let ids = IDS.map(BigInt), known = 0, first = 0;
  for (let k = 0; k < LENGTH; k += 1) {
    const past = new ort.Tensor("float32", cache.subarray(0, known * size), [known, LAYERS, 2, HEADS, HIDDEN / HEADS]);
    const found = await session.run({ ids: new ort.Tensor("int64", BigInt64Array.from(ids), [ids.length]), past });
    cache.set(found.new.data, known * size);
    known += ids.length;
    let best = 0;
    found.logits.data.forEach((one, row) => { if (one > found.logits.data[best]) best = row; });
    ids = [BigInt(FIRST_ID[best])];
    if (!k) first = performance.now();
  }
  return (LENGTH - 1) / (performance.now() - first) * 1000;
};
