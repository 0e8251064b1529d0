// Starts the component on a page without a server, with the worker as the source of words.

import { Writer } from "./editor/writer.js";
import { begin as read } from "./begin.js";
import { StoryFiles } from "./share/files.js";
import { LoadingBar } from "./sources/local/loading.js";
import { keepOffline } from "./sources/local/offline.js";
import { WorkerSource } from "./sources/local/source.js";

const root = new URL("../", import.meta.url);
const writer = new Writer();
document.body.append(writer);
const names = ["start.json", "web/text.json", "web/sources/local/text.json"];
const [begin, texts, own] = await Promise.all(names.map((name) => read(new URL(name, root))));
for (const code of Object.keys(texts)) Object.assign(texts[code], own[code]);
let bar = null;
const source = new WorkerSource(begin.model, (said) => {
  bar?.hear(said);
  if (said.ready) keepOffline(root);
});
// A story's link needs the model, so `start` may take as long as the download; the page is visible before.
const begun = writer.start({
  source,
  texts,
  models: begin.models,
  record: begin.record,
  address: begin.address,
  files: new StoryFiles(root, source),
});
bar = new LoadingBar(document.body, begin.model.bytes, writer.language, () => source.open());
await begun;
