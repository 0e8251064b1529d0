// The links to the pages of the app, in a bar that only its owner sees: Train, Models and Publish are for the owner.

export const PLACES = { write: "./", train: "train", models: "models", publish: "publish" };

/**
 * Returns the bar as HTML; Language fills in the texts.
 * @param {string} here name of the open page
 */
export const placesBar = (here) => `
  <nav class="places" data-part="places" data-label="places">${Object.entries(PLACES)
    .map(([name, address]) => {
      const current = name === here ? ' aria-current="page"' : "";
      return `<a href="${address}"${current} data-text="place_${name}"></a>`;
    })
    .join("")}</nav>`;
