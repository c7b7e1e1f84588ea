//! The subcommands: one file, or folder, for each. It owns the command's arguments, runs it and prints its results.

pub(crate) mod admin;
pub(crate) mod batcher;
pub(crate) mod bench;
pub(crate) mod bridge;
pub(crate) mod challenger;
pub(crate) mod conformance;
pub(crate) mod db;
pub(crate) mod deploy;
pub(crate) mod derive;
pub(crate) mod dev;
pub(crate) mod dispute;
pub(crate) mod genesis;
pub(crate) mod load;
pub(crate) mod proposer;
pub(crate) mod prove;
pub(crate) mod replica;
pub(crate) mod sequencer;
pub(crate) mod vm;
