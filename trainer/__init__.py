"""The trainer: real stories in, a storyteller's standard safetensors folder out."""
