// The values that parts of the page pass to each other, for tsc (tests/web/tsconfig.json); no browser reads this file.

/** A piece of a story's text. */
interface Token {
  t: string; // text
  s: number | null; // surprise in nats
  i: number | null; // id; null of pending text, which nobody has scored
  r: number; // index of its run; -1 if a person typed it
  was?: Token; // of pending text: the token that an edit has touched
}

/** How a model wrote some tokens. */
interface Run {
  settings: Settings;
  seed: number;
  begins?: string; // what a person had typed of its first word
  beyond?: boolean; // whether it went on behind the end of a story
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
  story: string | null; // which of the kept stories it is (story/store.js)
}

interface Signature {
  name: string;
  fingerprint: string | null;
  tokenizer: string | null;
}

/** What the page knows of a model (playground/folder/model_info.py). */
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

/** The settings and the seed with which a person asks for text. */
interface Wish {
  settings: Settings;
  seed: number;
}

/** What a source is asked to write (playground/server/api.py). */
interface WriteRequest {
  model: string;
  ids: number[];
  text: string;
  token_id: number | null; // follows the ids: a word that was chosen
  settings: Settings;
  seeds: number[];
  opening: number; // tokens before the first one that a model wrote; -1: none did
  beyond_end: boolean;
  begins_with?: string;
}

interface Message {
  new?: [stream: number, texts: string[], surprises: number[], ids: number[]][];
  typed?: number; // tokens of the first stream that a person wrote
  begins_with?: string;
  ended?: boolean[]; // of each stream
  more?: boolean; // the rest is to be asked for
}

/** What could come at a place: the likeliest tokens, and the others in bins of logits. */
interface Candidates {
  candidates: [id: number, text: string, logit: number][];
  rest: [logit: number, count: number][];
  log_total: number;
  token: { token_id: number; probability: number; rank: number } | null;
}

interface PlaceRequest {
  model?: string;
  ids: number[];
  text: string;
  token_id?: number | null;
  given?: number[];
}

interface RecordRequest {
  model: string;
  ids: number[];
  parts: (Run & { from: number; to: number; position: number })[];
}

/** Where text comes from: a server (sources/server.js) or a worker (sources/local/source.js). */
interface Source {
  onWait?: (seconds: number) => void; // hears for how many seconds a busy server is waited for
  write(request: WriteRequest, signal: AbortSignal): AsyncIterable<Message>;
  branch(request: WriteRequest, signal: AbortSignal): AsyncIterable<Message>;
  score(request: PlaceRequest, signal?: AbortSignal): Promise<{ tokens: [string, number, number][] }>;
  candidates(request: PlaceRequest, signal?: AbortSignal): Promise<Candidates>;
  record(request: RecordRequest, signal?: AbortSignal): Promise<{ tokens: object[]; ended: boolean }>;
}

/** A story for other people (story/shared_story.js), of which pictures, files and books are made. */
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

declare var inklingTrouble: (name: string, values?: object) => void; // of trouble.js

/** What the page (editor/writer.js) gives to its parts; each names those that it needs (part.js). */
interface Page {
  frame: import("./editor/frame.js").Frame;
  state: import("./story/state.js").State;
  language: import("./editor/language.js").Language;
  source: Source;
  models: ModelInfo[];
  note: import("./editor/note.js").Note;
  sheet: import("./editor/editor.js").Editor;
  stories: import("./story/stories.js").Stories;
  edits: import("./story/edits.js").Edits;
  panel: import("./sampling/settings_panel.js").SettingsPanel;
  choices: import("./editor/choices.js").Choices;
  sharing: import("./share/sharing.js").Sharing;
  files: import("./share/files.js").StoryFiles | null; // what makes pictures and files of a story
  base: string | null; // what a link's text follows, if not this page's own address
}
