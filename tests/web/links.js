// The links that the page makes of stories as Python has them (playground/stories/permalink.py):
//
//   node tests/web/links.js < STORIES > LINKS

import { readFileSync } from "node:fs";
import { json, web } from "./modules.js";

const { encode } = await web("story/permalink");
const common = json("playground/web/story/common_tokens.json");

const run = ({ settings, begins_with: begins, beyond_end: beyond }) => ({
  settings,
  seed: settings.seed,
  begins,
  beyond,
});
const stories = JSON.parse(readFileSync(0, "utf-8"));
const links = stories.map((story) => encode({ ...story, runs: story.runs.map(run) }, common));
process.stdout.write(JSON.stringify(links));
