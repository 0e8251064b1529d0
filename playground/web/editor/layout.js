// The page's frame: constant markup without text of a story. Parts are found by data-part, a button's action is
// data-do, and texts come from text.json by data-text, data-label and data-hint.

import { placesBar } from "../places.js";
import { LEVELS, percent } from "../sampling/odds.js";
import { LISTS, PRESETS, SLIDERS } from "../sampling/settings.js";
import { PANEL } from "../share/share_panel.js";
import { VIEW } from "./look_closer.js";
import { HINTS, panels } from "./panels.js";
import { STORIES } from "./stories_panel.js";

const setting = (name, values, more = "") => `
  <div class="setting">
    <label for="ink-${name}" data-text="${name}"></label>
    <input id="ink-${name}" ${values} aria-describedby="ink-${name}-hint">${more}
    <p class="hint" id="ink-${name}-hint" data-text="${name}_hint"></p>
  </div>`;
const slider = ({ name, low, high, step }) =>
  setting(
    name,
    `type="range" min="${low}" max="${high}" step="${step}"`,
    `<output for="ink-${name}" id="ink-${name}-value"></output>`,
  );
const sliders = (isFirst) =>
  SLIDERS.filter(({ first }) => first === isFirst)
    .map(slider)
    .join("");

// The switch for the colours of words, and their legend.
export const ODDS = `
  <label class="switch"><input type="checkbox" id="ink-odds"><span data-text="odds" data-hint="odds_hint"></span></label>
  <p class="legend" data-part="legend"><span data-text="legend_expected"></span>
    ${[0, 1, 2, 3, 4, 5].map((k) => `<i data-odds="${k}"></i>`).join("")}
    <span data-text="legend_surprise"></span></p>`;

// Sets the title of each colour in the legend: its least probability.
export function titleLegend(root, code) {
  root.querySelectorAll(".legend i").forEach((mark, k) => {
    const least = percent(LEVELS[k] ?? 0, code);
    mark.title = k < LEVELS.length ? `≥ ${least}` : `< ${percent(LEVELS.at(-1), code)}`;
  });
}

export const CARD = `
  <section class="card" data-part="card" role="dialog" data-label="card" hidden>
    <button type="button" class="quiet close" data-do="close-card" data-label="close">✕</button>
    <p class="headline" data-part="headline"></p>
    <p class="hint" data-part="standing"></p>
    <button type="button" data-do="rewrite" data-part="rewrite" data-text="rewrite"></button>
    <p class="what" data-text="alternatives"></p>
    <ol class="bars" data-part="alternatives"></ol>
  </section>`;

const NEXT = `
      <p class="hint" data-text="next_hint"></p>
      <ol class="bars" data-part="next"></ol>
      <label class="switch"><input type="checkbox" id="ink-pick"><span data-text="pick"></span></label>`;

const BRANCHES = `
      <p class="hint" data-text="branches_hint"></p>
      <ul data-part="branches"></ul>
      <button type="button" data-do="compare" data-part="compare" data-text="compare"></button>`;

const MODEL = `
      <p data-part="kind"></p>
      <dl data-part="facts"></dl>
      <p data-part="api"><a href="web/api.html" data-text="api"></a></p>`;

const CLOSER = `
      <ul data-part="views"></ul>`;

export const PAGE = `
<header>
  <div class="brand"><h1>Inkling</h1><p data-text="tagline"></p></div>
  ${placesBar("write")}
  <div class="tools">
    <div class="field" data-part="models"><label for="ink-model" data-text="model"></label><select id="ink-model"></select></div>
    <button type="button" data-do="night" data-part="night"></button>
    <button type="button" data-do="language" data-part="language"></button>
  </div>
</header>
<main>
  <div class="story">
    <article class="paper">
      <div class="ruler">
        ${ODDS}
        <button type="button" class="quiet" data-do="new" data-part="new" data-text="new"></button>
        <button type="button" class="quiet" data-do="stories" data-part="open-stories" data-text="stories"></button>
        <button type="button" class="quiet" data-do="edit" data-part="edit" data-text="edit"></button>
        <button type="button" class="quiet" data-do="share" data-part="share" data-text="share"></button>
        <button type="button" class="quiet" data-do="read" data-part="read" data-text="read"></button>
      </div>
      <div class="sheet" data-part="sheet" data-label="sheet" spellcheck="false"></div>
      <div class="openings" role="group" data-label="openings">
        ${[1, 2, 3, 4].map((k) => `<button type="button" data-opening="${k}" data-text="opening_${k}" lang="en"></button>`).join("")}
      </div>
      ${CARD}
      <footer>
        <ul class="words-to-use" data-part="words-to-use"></ul>
        <p class="note" data-part="note"></p>
        <p class="meter"><meter id="ink-context" min="0"></meter><label for="ink-context" data-part="context"></label></p>
      </footer>
      <div class="actions" role="toolbar" data-label="sheet">
        <button type="button" class="primary" data-do="generate" data-part="generate"></button>
        <button type="button" data-do="again" data-part="again" data-text="again" data-hint="again_hint"></button>
        <button type="button" data-do="eight" data-part="eight" data-text="eight"></button>
        <button type="button" data-do="undo" data-part="undo" data-label="undo" data-hint="undo">↶</button>
        <button type="button" data-do="redo" data-part="redo" data-label="redo" data-hint="redo">↷</button>
      </div>
    </article>
    ${STORIES}
    ${PANEL}
    <section class="choices" data-part="choices" hidden>
      <h2 data-part="choices-title"></h2>
      <button type="button" class="quiet close" data-do="close-choices" data-label="close">✕</button>
      <p class="shared" data-part="choices-shared"></p>
      <ol data-part="choices-list"></ol>
    </section>
    <p class="live" aria-live="polite" data-part="live"></p>
  </div>
  <aside>
    <section class="settings" aria-labelledby="ink-settings">
      <div class="head"><h2 id="ink-settings" data-text="settings"></h2>${HINTS}</div>
      <div class="presets" role="group" data-label="presets">
        ${Object.keys(PRESETS)
          .map((name) => `<button type="button" data-preset="${name}" data-text="preset_${name}"></button>`)
          .join("")}
      </div>
      ${sliders(true)}
      <details>
        <summary data-text="more"></summary>
        ${sliders(false)}
        <div class="setting">
          <label for="ink-seed" data-text="seed"></label>
          <input id="ink-seed" inputmode="numeric" autocomplete="off" aria-describedby="ink-seed-hint">
          <p class="hint" id="ink-seed-hint" data-part="seed-hint" data-text="seed_hint"></p>
          <label class="switch"><input type="checkbox" id="ink-fresh" checked><span data-text="fresh_seed"></span></label>
        </div>
        ${LISTS.map(({ name }) => setting(name, 'autocomplete="off"')).join("")}
        <label class="switch"><input type="checkbox" id="ink-stop"><span data-text="stop_at_end"></span></label>
      </details>
      <p class="hint" data-text="keys"></p>
    </section>
    ${panels({ next: NEXT, branches: BRANCHES, model: MODEL, closer: CLOSER })}
  </aside>
  ${VIEW}
</main>`;
