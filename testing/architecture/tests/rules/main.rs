//! The rules of ARCHITECTURE.md.

mod crates;
mod modules;
mod product;
mod source;
