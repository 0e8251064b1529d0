// The page's worker: loads the model and writes with it. Its messages and answers:
//
//   { open: { weights, bytes, checksum, slots } }  -> { progress: bytes so far } ..., then { ready: true }
//                                                     or { failed: "network" | "damaged" | "pointer" | "memory" | "simd" }
//   { call: n, name, request }                     -> { call: n, message } ..., then { call: n, done: true }
//                                                     or { call: n, refused: message }
//   { stop: n }                                    -> no more messages of call n
//
// Calls take turns: each computes for a short while, then yields to incoming messages.

import { Core } from "../../sampling/core.js";
import { fetchModel } from "./fetch_model.js";
import { opened } from "./packed_model.js";
import { Refused } from "../calls.js";

const TURN = 30; // ms between two messages of a call

let storyteller = null;
const stopped = new Set();

const turn = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel(); // faster than a timer
    port1.onmessage = resolve;
    port2.postMessage(null);
  });

// Triggers a garbage collection. Loading and writing leave garbage (40 MB of the download and of the copy for the
// cache) that would stay, since WebAssembly does not allocate in JavaScript. V8 counts the bytes of buffers, so
// allocating large ones triggers a collection; nothing is written to them, so they take no memory.
function askForCollection() {
  if (!ArrayBuffer.prototype.transfer) return; // the buffers could not be freed at once
  for (let k = 0; k < 48; k += 1) new ArrayBuffer(64 << 20).transfer(0);
}

async function open({ weights, bytes, checksum, slots }) {
  const core = await Core.load(); // before the model: a browser without SIMD must not download it
  const content = await fetchModel(weights, bytes, checksum, (progress) => postMessage({ progress }));
  storyteller = opened(core, content, slots);
  content.buffer.transfer?.(0); // the core has a copy, so the memory is freed at once
  await turn(); // after which the download's buffers are garbage
  askForCollection();
  postMessage({ ready: true });
}

// Merges several messages of a streaming call into one.
function together(messages) {
  const merged = {};
  for (const message of messages) {
    Object.assign(merged, { ...message, new: merged.new ?? [] });
    for (const [stream, texts, surprises, ids] of message.new) {
      const before = merged.new.find(([other]) => other === stream);
      if (!before) merged.new.push([stream, [...texts], [...surprises], [...ids]]);
      else [texts, surprises, ids].forEach((values, k) => before[k + 1].push(...values));
    }
  }
  return merged;
}

async function write(call, request) {
  let messages = [],
    until = performance.now() + TURN,
    isFirst = true;
  for (const message of storyteller.write(request)) {
    messages.push(message);
    const hasWord = message.new.length > 0;
    if (performance.now() < until && !(hasWord && isFirst)) continue;
    if (hasWord) isFirst = false; // the first word at once
    postMessage({ call, message: together(messages) });
    messages = [];
    await turn();
    if (stopped.has(call)) return;
    until = performance.now() + TURN;
  }
  if (messages.length) postMessage({ call, message: together(messages) });
}

async function answer({ call, name, request }) {
  try {
    if (name === "write") {
      await write(call, request);
      askForCollection(); // also after a story that was stopped
    } else postMessage({ call, message: storyteller[name](request) });
    postMessage({ call, done: true });
  } catch (problem) {
    postMessage({ call, refused: problem.message });
    if (!(problem instanceof Refused)) throw problem;
  } finally {
    stopped.delete(call);
  }
}

addEventListener("message", async ({ data }) => {
  if (data.stop) stopped.add(data.stop);
  else if (data.call) answer(data);
  else if (data.open) {
    try {
      await open(data.open);
    } catch (problem) {
      const isKnown = ["network", "damaged", "pointer", "simd"].includes(problem.message);
      postMessage({ failed: isKnown ? problem.message : problem instanceof RangeError ? "memory" : "damaged" });
      throw problem;
    }
  }
});
