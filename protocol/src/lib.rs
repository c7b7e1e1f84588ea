//! Types and rules that every party of the rollup shares.
