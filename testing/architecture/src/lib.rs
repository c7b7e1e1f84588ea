//! The rules of ARCHITECTURE.md as tests; the crate itself is empty. See `tests/`.
