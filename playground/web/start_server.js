// Starts the component on the app's page, with Gradio's server as the source of words.

import { begin } from "./begin.js";
import { StoryFiles } from "./share/files.js";
import { Server } from "./sources/server.js";
import { isLocal } from "./share/share_panel.js";
import { Writer } from "./editor/writer.js";

const root = new URL("../", import.meta.url).href;
const writer = new Writer();
document.body.append(writer);
const [{ address, owner, models, record }, texts] = await Promise.all(
  ["start.json", "text.json"].map((name) => begin(`${root}web/${name}`)),
);
const source = new Server(root);
await writer.start({
  source,
  models,
  texts,
  record,
  api: true,
  isOwner: owner,
  files: new StoryFiles(root, source),
  // A server behind an unknown proxy knows only its local address: links then use the address of this page.
  address: isLocal(address) && !isLocal(root) ? `${root}s/` : address,
});
