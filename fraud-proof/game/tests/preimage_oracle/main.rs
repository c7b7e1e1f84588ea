//! `PreimageOracle` on an L1 of its own: what is loaded is what the program reads, whatever gas the
//! call is given and whatever L1 charges; and the most expensive that may be asked for fits one
//! transaction.

mod evm;
mod gas;
mod inputs;
mod loads;
mod repriced;
