// Made from the table in playground/sampling.py by python -m playground.settings_table.
// `link`: number in links, 0 for none; `neutral`: where it changes nothing; `limits`:
// whether it keeps some tokens from being drawn.

export const SETTINGS = [
  {"kind": "float", "name": "temperature", "default": 0.8, "neutral": null, "limits": false, "link": 1, "low": 0.0, "high": 2.0, "step": 0.05, "first": true},
  {"kind": "int", "name": "top_k", "default": 40, "neutral": 0, "limits": true, "link": 5, "low": 0, "high": 200, "step": 1, "first": true},
  {"kind": "float", "name": "top_p", "default": 1.0, "neutral": 1.0, "limits": true, "link": 2, "low": 0.0, "high": 1.0, "step": 0.01, "first": false},
  {"kind": "float", "name": "min_p", "default": 0.0, "neutral": 0.0, "limits": true, "link": 3, "low": 0.0, "high": 1.0, "step": 0.01, "first": false},
  {"kind": "float", "name": "repetition_penalty", "default": 1.0, "neutral": 1.0, "limits": false, "link": 4, "low": 0.5, "high": 2.0, "step": 0.05, "first": false},
  {"kind": "int", "name": "length", "default": 200, "neutral": null, "limits": false, "link": 0, "low": 1, "high": 1000, "step": 1, "first": true},
  {"kind": "int", "name": "seed", "default": 0, "neutral": null, "limits": false, "link": 6, "low": 0, "high": 4294967295, "step": 0, "first": false},
  {"kind": "words", "name": "banned_words", "default": [], "neutral": [], "limits": false, "link": 8, "low": 0, "high": 0, "step": 0, "first": false},
  {"kind": "words", "name": "words_to_use", "default": [], "neutral": [], "limits": false, "link": 9, "low": 0, "high": 0, "step": 0, "first": false},
  {"kind": "int", "name": "words_form", "default": 2, "neutral": 1, "limits": false, "link": 10, "low": 1, "high": 2, "step": 0, "first": false},
  {"kind": "bool", "name": "stop_at_end", "default": true, "neutral": null, "limits": false, "link": 7, "low": 0, "high": 0, "step": 0, "first": false},
];
