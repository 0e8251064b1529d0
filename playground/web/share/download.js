// Saves a file to the browser's downloads.

import { make } from "../make.js";

export function download(blob, name) {
  const link = make("a", { download: name, href: URL.createObjectURL(blob) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
