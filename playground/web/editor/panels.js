// The panels beside the story, as tabs with automatic activation (ARIA pattern): the arrow keys, Home and End move
// among them. Hints are shown on demand.

const PANELS = { next: "next", branches: "branches", model: "the_model", closer: "look_closer" };

const tab = ([name, label], k) => `
  <button type="button" role="tab" id="ink-tab-${name}" aria-controls="ink-panel-${name}" aria-selected="${k === 0}"
    tabindex="${k ? -1 : 0}"><span data-text="${label}"></span><span data-part="${name}-count"></span></button>`;

const panel = (name, k, content) => `
  <div role="tabpanel" class="${name}" id="ink-panel-${name}" aria-labelledby="ink-tab-${name}"${k ? " hidden" : ""}>
    ${content}</div>`;

/**
 * Returns the tabs and their panels as HTML; the first is open.
 * @param {Record<string, string>} contents the panels' HTML
 */
export const panels = (contents) => `
  <section class="panels">
    <div role="tablist" data-label="panels">${Object.entries(PANELS).map(tab).join("")}</div>
    ${Object.keys(PANELS)
      .map((name, k) => panel(name, k, contents[name]))
      .join("")}
  </section>`;

// The switch that shows the hints of all panels.
export const HINTS = `
  <button type="button" class="quiet explain" data-part="explain" data-label="explain" data-hint="explain" aria-pressed="false">?</button>`;

export class Panels {
  /** @param {HTMLElement} aside contains the panels and the switch for the hints */
  constructor(aside) {
    this.tabs = /** @type {HTMLElement[]} */ ([...aside.querySelectorAll('[role="tab"]')]);
    const explain = /** @type {HTMLElement} */ (aside.querySelector('[data-part="explain"]'));
    for (const tab of this.tabs) tab.addEventListener("click", () => this.show(tab));
    this.tabs[0].parentElement?.addEventListener("keydown", (event) => this.key(event));
    explain.addEventListener("click", () => {
      explain.setAttribute("aria-pressed", String(aside.classList.toggle("explained")));
    });
  }

  key(event) {
    const at = this.tabs.indexOf(event.target.closest('[role="tab"]')),
      last = this.tabs.length - 1;
    const places = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at ? at - 1 : last, Home: 0, End: last };
    if (!(event.key in places) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.show(this.tabs[places[event.key]]);
    this.tabs[places[event.key]].focus();
  }

  show(chosen) {
    for (const tab of this.tabs) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      const panel = document.getElementById(tab.getAttribute("aria-controls"));
      if (panel) panel.hidden = !isChosen;
    }
  }
}
