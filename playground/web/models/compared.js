// The compared runs in the page's address: /models?compare=first,second.

/** @param {string} search of a location */
export const chosenIn = (search) => [
  ...new Set((new URLSearchParams(search).get("compare") ?? "").split(",").filter(Boolean)),
];

/**
 * Returns an address that compares these runs.
 * @param {string} address
 * @param {string[]} names
 */
export function withChosen(address, names) {
  const url = new URL(address);
  url.search = names.length ? `?compare=${names.map(encodeURIComponent).join(",")}` : "";
  return url.href;
}
