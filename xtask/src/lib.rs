//! House rules that a machine can check; they live in `tests/` and run with the others.
