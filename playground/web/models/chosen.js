// Which runs are compared, in the address: /models?compare=first,second.

/** @param {string} search of a location */
export const chosenIn = (search) => [
  ...new Set((new URLSearchParams(search).get("compare") ?? "").split(",").filter(Boolean)),
];

/**
 * Returns an address with these runs chosen.
 * @param {string} address
 * @param {string[]} names
 */
export function withChosen(address, names) {
  const url = new URL(address);
  url.search = names.length ? `?compare=${names.map(encodeURIComponent).join(",")}` : "";
  return url.href;
}
