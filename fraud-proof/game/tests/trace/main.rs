//! Traces compute any state of a run, in any order, with few steps.

mod counter;
mod states;
