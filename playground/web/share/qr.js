// A link as a QR code, level L. The library is large: who needs a code imports this module then.

import { encode, renderSVG } from "../vendor/uqr/index.js";

const QUIET = 4; // modules of white around it, as the standard (ISO/IEC 18004) asks
const BYTES_MAX = 2_953; // that the largest code holds

// Whether a link is short enough for a code.
export const fits = (link) => link.length > 0 && new TextEncoder().encode(link).length <= BYTES_MAX;

// The code as an SVG without a size of its own, with the white around it.
export const svg = (link) =>
  renderSVG(link, { border: QUIET, pixelSize: 1 }).replace("<svg", '<svg shape-rendering="crispEdges"');

// Draws the code with its right lower corner at (right, bottom), about `wanted` pixels wide: whole pixels a
// module, so that a camera sees edges, and two at least. Its width in pixels.
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
