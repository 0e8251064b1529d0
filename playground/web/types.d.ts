// The values that parts of the page pass to each other, for tsc (tests/web/tsconfig.json); no browser reads this file.

/** A piece of a story's text. */
interface Token {
  t: string; // text
  s: number | null; // surprise in nats
  i: number | null; // id; null for pending text, which is not scored yet
  r: number; // index of its run; -1 if a person typed it
  was?: Token; // of pending text: the token before an edit touched it
}

/** How a model wrote some tokens. */
interface Run {
  settings: Settings;
  seed: number;
  begins?: string; // the typed start of its first word
  beyond?: boolean; // whether the story had ended before
}

interface Branch {
  id: number;
  parent: number | null;
  tokens: Token[];
  name: string;
  ended: boolean;
}

/** A story with all its branches (story/tree.js), which no function changes. */
interface StoryDocument {
  branches: { [id: number]: Branch };
  current: number;
  next: number; // the next branch's id
  runs: Run[];
  model: Signature | null; // whose ids these are
  story: string | null; // id of the stored story (story/store.js)
}

interface Signature {
  name: string;
  fingerprint: string | null;
  tokenizer: string | null;
}

/** A model for the page (playground/folder/model_info.py). */
interface ModelInfo {
  name: string;
  fingerprint?: string;
  tokenizer?: string;
  context: number;
  facts: [name: string, value: string, meaning: string][];
  stories?: number;
  history?: [tokens: number, story: string][];
  trace?: string | null; // without a server: the file of the filter of its training stories
}

/** The values of sampling/settings_table.js by their names, without the seed. */
interface Settings {
  [name: string]: any;
  temperature: number;
  length: number;
  banned_words: string[];
  stop_at_end: boolean;
}

/** The settings and the seed of a request. */
interface Wish {
  settings: Settings;
  seed: number;
}

/** A request to write (playground/server/api.py). */
interface WriteRequest {
  model: string;
  ids: number[];
  text: string;
  token_id: number | null; // a chosen token, which follows the ids
  settings: Settings;
  seeds: number[];
  opening: number; // tokens before the first one that a model wrote; -1 without one
  beyond_end: boolean;
  begins_with?: string;
}

interface Message {
  new?: [stream: number, texts: string[], surprises: number[], ids: number[]][];
  typed?: number; // tokens of the first stream that a person wrote
  begins_with?: string;
  ended?: boolean[]; // of each stream
  more?: boolean; // the rest must be requested
}

/** The distribution at a position: the most likely tokens, and the others in bins of logits. */
interface Candidates {
  candidates: [id: number, text: string, logit: number, raised?: number][];
  rest: [logit: number, count: number][];
  log_total: number;
  token: { token_id: number; probability: number; rank: number } | null;
}

interface PlaceRequest {
  model?: string;
  ids: number[];
  text: string;
  token_id?: number | null;
  settings?: Pick<Settings, "words_to_use">; // whose words raise the candidates
  given?: number[];
}

interface RecordRequest {
  model: string;
  ids: number[];
  parts: (Run & { from: number; to: number; position: number })[];
}

/** Where text comes from: a server (sources/server.js) or a worker (sources/local/source.js). */
interface Source {
  onWait?: (seconds: number) => void; // called with the seconds of waiting for a busy server
  write(request: WriteRequest, signal: AbortSignal): AsyncIterable<Message>;
  score(request: PlaceRequest, signal?: AbortSignal): Promise<{ tokens: [string, number, number][] }>;
  candidates(request: PlaceRequest, signal?: AbortSignal): Promise<Candidates>;
  record(request: RecordRequest, signal?: AbortSignal): Promise<{ tokens: object[]; ended: boolean }>;
}

/** A shared story (story/shared_story.js), of which pictures, files and books are made. */
interface SharedStory {
  tokens: Token[];
  runs: Run[];
  model: string;
  fingerprint?: string;
  link?: string;
  text: string;
  title: string;
  author: string;
  byline: string;
  settings: string; // in words
}

declare var inklingStartFailed: (name: string, values?: object) => void; // of start_failure.js

/** The objects that the page (editor/writer.js) gives to its parts; each part names those that it needs (part.js). */
interface Page {
  frame: import("./editor/frame.js").Frame;
  state: import("./story/state.js").State;
  language: import("./editor/language.js").Language;
  source: Source;
  models: ModelInfo[];
  note: import("./editor/note.js").Note;
  editor: import("./editor/editor.js").Editor;
  stories: import("./story/stories.js").Stories;
  edits: import("./story/edits.js").Edits;
  panel: import("./sampling/settings_panel.js").SettingsPanel;
  choices: import("./editor/choices.js").Choices;
  sharing: import("./share/sharing.js").Sharing;
  files: import("./share/files.js").StoryFiles | null; // makes pictures and files of a story
  base: string | null; // the address before a link's text; null for this page's own
}
