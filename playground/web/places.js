// The places of the app, as a bar of links. The owner of the app sees it: Train, Models and Publish are hers alone.

export const PLACES = { write: "./", train: "train", models: "models", publish: "publish" };

/**
 * Returns the bar as HTML; the page's language puts the words in.
 * @param {string} here the place that is open
 */
export const placesBar = (here) => `
  <nav class="places" data-part="places" data-label="places">${Object.entries(PLACES)
    .map(([name, address]) => {
      const current = name === here ? ' aria-current="page"' : "";
      return `<a href="${address}"${current} data-text="place_${name}"></a>`;
    })
    .join("")}</nav>`;
