// A link as a QR code, level L. The library is large, so import this module only when needed.

import { encode, renderSVG } from "../vendor/uqr/index.js";

const QUIET = 4; // modules of white border, required by ISO/IEC 18004
const BYTES_MAX = 2_953; // of the largest code

// Returns whether a link is short enough for a code.
export const fits = (link) => link.length > 0 && new TextEncoder().encode(link).length <= BYTES_MAX;

// Returns the code as an SVG without a size of its own, with its border.
export const svg = (link) =>
  renderSVG(link, { border: QUIET, pixelSize: 1 }).replace("<svg", '<svg shape-rendering="crispEdges"');

// Draws the code with its lower right corner at (right, bottom), about `wanted` pixels wide; returns its width. A
// module has a whole number of pixels, at least two, for sharp edges.
export function draw(on, link, right, bottom, wanted) {
  const { data, size } = encode(link, { border: QUIET });
  const scale = Math.max(2, Math.floor(wanted / size)),
    width = scale * size;
  on.fillStyle = "#ffffff";
  on.fillRect(right - width, bottom - width, width, width);
  on.fillStyle = "#000000";
  data.forEach((row, y) =>
    row.forEach((dark, x) => {
      if (dark) on.fillRect(right - width + x * scale, bottom - width + y * scale, scale, scale);
    }),
  );
  return width;
}
