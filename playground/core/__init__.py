"""The core in C, its build, and what Python needs to call it."""
