//! `PreimageOracle` on a separate L1. Loaded words equal the words that the program reads, whatever
//! the gas limit and L1's prices. The most expensive allowed load fits one transaction.

mod evm;
mod gas;
mod inputs;
mod loads;
mod repriced;
