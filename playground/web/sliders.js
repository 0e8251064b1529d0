// Made from the table in playground/sampling.py by
// python -m tests.playground.test_settings_table

export const SLIDERS = [
  {"name": "temperature", "low": 0.0, "high": 2.0, "step": 0.05, "value": 0.8, "first": true},
  {"name": "top_k", "low": 0, "high": 200, "step": 1, "value": 40, "first": true},
  {"name": "length", "low": 1, "high": 1000, "step": 1, "value": 200, "first": true},
  {"name": "top_p", "low": 0.0, "high": 1.0, "step": 0.01, "value": 1.0, "first": false},
  {"name": "min_p", "low": 0.0, "high": 1.0, "step": 0.01, "value": 0.0, "first": false},
  {"name": "repetition_penalty", "low": 0.5, "high": 2.0, "step": 0.05, "value": 1.0, "first": false},
];
