// A busy server is asked again when it says so, and the page tells that it waits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { web } from "./modules.js";

const { Busy, checkBusy, withRetries } = await web("sources/retry");
const { Server } = await web("sources/server");

const refused = (seconds) =>
  new Response('{"detail":"Too many."}', { status: 429, headers: { "retry-after": seconds } });

test("a refusal says for how long", async () => {
  await checkBusy(new Response("{}"));
  await assert.rejects(checkBusy(refused("7")), { message: "Too many.", seconds: 7 });
  await assert.rejects(checkBusy(refused("9999")), { seconds: 60 });
  await assert.rejects(checkBusy(refused("soon")), { seconds: 2 });
  await assert.rejects(checkBusy(refused(new Date(Date.now() - 5000).toUTCString())), { seconds: 0 });
});

test("it is asked again after that time, and not for ever", async () => {
  const waited = [],
    told = [];
  const options = { onWait: (n) => told.push(n), pause: async (ms) => waited.push(ms) };
  let left = 3;
  const ask = async () => {
    left -= 1;
    if (left) throw new Busy("Too many.", 4);
    return "there";
  };
  assert.equal(await withRetries(ask, options), "there");
  assert.deepEqual(told, [4, 4, 0]);
  assert.ok(waited.every((ms) => ms >= 4000 && ms < 5000));
  await assert.rejects(
    withRetries(async () => {
      throw new Busy("Too many.");
    }, options),
    { message: "Too many." },
  );
  await assert.rejects(
    withRetries(async () => {
      throw new Error("other");
    }, options),
    { message: "other" },
  );
});

// A server whose first answers refuse, by status or as an event.
function serverThat(...answers) {
  const server = new Server("http://x.example/"),
    told = [];
  server.onWait = (n) => told.push(n);
  globalThis.fetch = async () => (answers[0] instanceof Response ? answers.shift() : new Response(answers.shift()));
  return [server, told];
}
const event = (name, data) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const busy = event("error", { error: "You have 8 stories under way.", title: "Busy" });

test("scoring waits for its turn", async () => {
  const [server, told] = serverThat(refused("0"), busy, event("message", { tokens: [] }) + event("complete", null));
  server.wait = 0;
  assert.deepEqual(await server.score({}), { tokens: [] });
  assert.deepEqual(told, [1, 2, 0]);
});

test("a Stop ends the waiting", async () => {
  const [server] = serverThat(busy, busy);
  const stop = new AbortController();
  server.onWait = () => stop.abort();
  const messages = server.write({ ids: [], settings: { length: 1 }, opening: -1 }, stop.signal);
  await assert.rejects(messages.next(), { name: "AbortError" });
});

test("any other refusal is said at once", async () => {
  const [server, told] = serverThat(event("error", { error: "No such model.", title: "Error" }));
  await assert.rejects(server.candidates({}), { message: "No such model." });
  assert.deepEqual(told, []);
});
