// A story as a link, and what a link's story turns out to be: told again, it is the same or it is not.

import * as permalink from "./permalink.js";
import * as tree from "./tree.js";

export class Sharing {
  constructor(writer) {
    this.writer = writer;
  }

  async common() {
    this.commonIds ??= await (await fetch(new URL("common_tokens.json", import.meta.url))).json();
    return this.commonIds;
  }

  // The story as a link, shown to be copied.
  async show() {
    if (this.writer.writing || !(await this.writer.isScored())) return;
    const tokens = tree.knownTokens(this.writer.tokens);
    const used = [...new Set(tokens.map((token) => token.r).filter((run) => run >= 0))];
    const value = {
      model: this.writer.model.fingerprint,
      name: this.writer.model.name,
      runs: used.map((run) => this.writer.doc.runs[run]),
      tokens: tokens.map((token) => [token.i, used.indexOf(token.r)]),
    };
    const link = new URL(this.writer.address ?? location.href.split(/[?#]/)[0]);
    link.searchParams.set("story", permalink.encode(value, await this.common()));
    this.writer.part("link").hidden = false;
    this.writer.field("link").value = link.href;
    this.writer.field("link").focus();
    this.writer.field("link").select();
  }

  async copy() {
    this.writer.field("link").select();
    try {
      await navigator.clipboard.writeText(this.writer.field("link").value);
    } catch {
      document.execCommand("copy"); // a page that is not served by https has no clipboard
    }
    this.writer.say(this.writer.language.say("copied"));
  }

  // A story from a link: shown at once, then told again to see whether the model really said so.
  async open(text) {
    history.replaceState(null, "", location.pathname); // a reload shows what became of it
    let link;
    try {
      link = permalink.decode(text, await this.common());
    } catch (problem) {
      this.writer.say(this.writer.language.say(problem instanceof permalink.Newer ? "link_newer" : "link_damaged"));
      return;
    }
    const told = this.writer.models.find(({ fingerprint }) => fingerprint?.startsWith(link.model));
    if (told) {
      this.writer.field("model").value = told.name;
      this.writer.showFacts();
    }
    try {
      const given = link.tokens.map(([id]) => id);
      const found = await this.writer.source.score({ model: this.writer.model.name, ids: [], text: "", given });
      const tokens = found.tokens.map(([t, s, i], k) => ({ t, s, i, r: link.tokens[k][1] }));
      this.writer.act(tree.withTokens({ ...tree.emptyDocument(), runs: link.runs }, tokens));
      this.writer.say(await this.verdict(link, tokens, Boolean(told)));
    } catch (problem) {
      this.writer.say(this.writer.why(problem));
    }
  }

  // Whether this model, told the same, says the same.
  async verdict({ name, runs }, tokens, isSame) {
    for (let k = 0; k < tokens.length; k += 1) {
      const { r } = tokens[k];
      if (r < 0 || tokens[k - 1]?.r === r) continue;
      let end = k;
      while (tokens[end]?.r === r) end += 1;
      const { settings, seed, space, beyond } = runs[r];
      const before = tokens.slice(0, k);
      const request = {
        ...this.writer.request(before, { settings: { ...settings, length: Math.min(end - k, 1000) } }, [seed]),
        text: space ? " " : "", beyond_end: beyond,
      };
      const said = [];
      for await (const message of this.writer.source.write(request, new AbortController().signal)) {
        for (const [, texts, , ids] of message.new ?? []) ids.forEach((i, n) => said.push([i, texts[n]]));
      }
      for (let n = k; n < end; n += 1) {
        const [id, word] = said[n - k] ?? [null, ""];
        if (id === tokens[n].i) continue;
        const values = { k: n + 1, was: tokens[n].t.trim(), is: word.trim() || "·", name };
        return this.writer.language.say(isSame ? "link_differs" : "link_other", values);
      }
    }
    return this.writer.language.say(isSame ? "link_same" : "link_other_same", { name });
  }
}
