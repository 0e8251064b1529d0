// Encodes a story as a link, and opens a link: the story is generated again to verify that the model wrote it.

import { partWith } from "../part.js";
import { ordered } from "../editor/branches.js";
import * as permalink from "../story/permalink.js";
import { drawsFromAll } from "../sampling/settings.js";
import { sharedStory } from "../story/shared_story.js";
import * as tree from "../story/tree.js";

// Returns the link's text in an address, /s/TEXT or ?story=TEXT; null without one.
export function linkIn(address) {
  try {
    const { pathname, searchParams } = new URL(address.trim());
    return searchParams.get("story") ?? /\/s\/([^/]*)$/.exec(pathname)?.[1] ?? null;
  } catch {
    return null;
  }
}

export class Sharing extends partWith("state", "models", "source", "language", "note", "stories", "edits", "base") {
  commonIds = null;

  async common() {
    this.commonIds ??= await (await fetch(new URL("../story/common_tokens.json", import.meta.url))).json();
    return this.commonIds;
  }

  // Returns the story as a link's text, with `branches` including all of them. Throws permalink.TooLong.
  async text(branches = false) {
    if (branches) for (const id of Object.keys(this.state.now.doc.branches)) await this.edits.score(Number(id));
    return permalink.encode(this.value(branches), await this.common());
  }

  // Returns the story as a link's value, which may be too long for a link.
  value(branches = false) {
    const { doc, model } = this.state.now;
    const all = [tree.knownTokens(this.state.tokens)];
    const names = [""];
    if (branches) {
      for (const [branch] of ordered(doc)) {
        if (branch.id === doc.current || tree.pendingText(branch.tokens).trim()) continue;
        all.push(tree.knownTokens(branch.tokens));
        names.push(branch.name);
      }
    }
    const used = tree.runsOf(all.flat());
    const packed = (tokens) => tokens.map((token) => [token.i, used.indexOf(token.r)]);
    return {
      model: model.fingerprint,
      tokenizer: model.tokenizer ?? "",
      name: model.name,
      runs: used.map((run) => doc.runs[run]),
      tokens: packed(all[0]),
      branches: all.slice(1).map((tokens, k) => {
        const common = all.slice(0, k + 1).map((other) => tree.shared(other, tokens));
        const shared = Math.max(...common);
        const own = packed(tokens.slice(shared));
        return { leaves: common.indexOf(shared), shared, name: names[k + 1], tokens: own };
      }),
    };
  }

  // Returns a function that reads a pasted link: { text, link }, or { why, values } if it cannot be opened here.
  async reader() {
    const common = await this.common();
    return (written) => {
      const text = permalink.textIn(written);
      try {
        const link = permalink.decode(text, common);
        return this.modelOf(link) ? { text, link } : this.noModel(link);
      } catch (problem) {
        return { why: problem instanceof permalink.Newer ? "link_newer" : "link_damaged" };
      }
    };
  }

  // Returns the model that wrote a link's story, else one with the same tokenizer; undefined without one.
  modelOf(link) {
    const { model } = this.state.now,
      { models } = this;
    return (
      models.find(({ fingerprint }) => fingerprint?.startsWith(link.model)) ??
      [model, ...models].find(({ tokenizer }) => permalink.hasTokenizer(link, tokenizer))
    );
  }

  noModel({ name }) {
    return { why: name ? "link_tokenizer" : "link_tokenizer_unknown", values: { name } };
  }

  // Returns the address that opens a link's text.
  address(text) {
    if (this.base) return this.base + text;
    const link = new URL(location.href.split(/[?#]/)[0]);
    link.searchParams.set("story", text);
    return link.href;
  }

  // Opens a story from a link: shows it at once, then generates it again to verify that the model wrote it.
  async open(text) {
    const home = document.querySelector("base") ? document.baseURI : location.pathname;
    history.replaceState(null, "", home); // a reload must show the story with later changes
    const { link, why, values } = (await this.reader())(text);
    if (!link) {
      this.note.tell(why, values);
      return;
    }
    const reader = this.modelOf(link),
      known = reader.fingerprint?.startsWith(link.model);
    this.state.set({ model: reader });
    try {
      const tokens = await this.read(link.tokens, []);
      const wrote = known ? tree.signature(reader) : { name: link.name, fingerprint: link.model, tokenizer: null };
      let doc = tree.withTokens({ ...this.stories.newDocument(wrote), runs: link.runs }, tokens);
      const ids = [doc.current];
      for (const { leaves, shared, name, tokens: own } of link.branches) {
        const before = doc.branches[ids[leaves]].tokens.slice(0, shared);
        const all = [...before, ...(await this.read(own, before))];
        doc = tree.branched(tree.selected(doc, ids[leaves]), all, name);
        ids.push(doc.current);
      }
      this.edits.act(this.stories.viewOf(tree.selected(doc, ids[0])).doc);
      this.note.say(await this.verdict(link, tokens, Boolean(known)));
    } catch (problem) {
      this.note.say(this.note.why(problem));
    }
  }

  // Returns the shared story of a book's entry: of a `link`, or of a `story` that is too long for one. Throws an Error
  // if no model here reads it.
  async storyOf({ link: pasted = "", story = null, title, author }) {
    const result = story ? { text: "", link: story } : (await this.reader())(pasted),
      { text, link } = result;
    const reader = link && this.modelOf(link);
    if (!reader) {
      const { why, values } = link ? this.noModel(link) : result;
      throw new Error(this.language.say(why, values));
    }
    const tokens = await this.read(link.tokens, [], reader.name),
      model = link.name || "a small language model";
    return sharedStory({ tokens, runs: link.runs, model }, { title, author, link: text && this.address(text) });
  }

  // Returns the tokens of a link, after `before`, with their text and surprise.
  async read(tokens, before, model = this.state.now.model.name) {
    if (!tokens.length) return [];
    const given = tokens.map(([id]) => id);
    const scored = await this.source.score({ model, ids: tree.idsOf(before), text: "", given });
    return scored.tokens.map(([t, s, i], k) => ({ t, s, i, r: tokens[k][1] }));
  }

  // Generates the story again, and returns a sentence that says whether this model reproduces it.
  async verdict({ name, runs }, tokens, isSame) {
    if (tokens.every(({ r }) => r < 0)) return this.language.say("link_person");
    for (const { run, from, to } of tree.stretchesOf(tokens).filter((stretch) => stretch.run >= 0)) {
      const { settings, seed, begins, beyond } = runs[run];
      const request = tree.requestOf(tokens.slice(0, from), {
        model: this.state.now.model.name,
        settings: { ...settings, length: Math.min(to - from, 1000) },
        seeds: [seed],
        begins_with: begins,
        beyond_end: beyond,
      });
      const written = [[]];
      for await (const message of this.source.write(request, new AbortController().signal))
        tree.append(written, message);
      for (let n = from; n < to; n += 1) {
        const again = written[0][n - from];
        if (again?.i === tokens[n].i) continue;
        const values = { k: n + 1, was: tokens[n].t.trim(), is: again?.t.trim() || "·", name };
        const verdict = this.language.say(isSame ? "link_differs" : "link_other", values);
        // The app and a page without a server sum in different orders, which shows with 50,000 tiny probabilities.
        return isSame && drawsFromAll(settings) ? `${verdict} ${this.language.say("link_from_all")}` : verdict;
      }
    }
    return this.language.say(isSame ? "link_same" : "link_other_same", { name });
  }
}
