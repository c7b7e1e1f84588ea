//! Traces: any state of a run, in any order, in few steps.

mod counter;
mod states;
