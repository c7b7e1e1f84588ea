//! Ethereum's public test suites, through the product's own code.
//!
//! ```text
//! directory ─► discover ─► items ─► state_test        ─► execute_block, state root  ─┐
//!                                   transaction_test  ─► decode, recover, execute   ─┼─► Report ─► table, JSON
//!                                   trie_test         ─► Trie                       ─┤
//!                                   block_test        ─► execute_block, receipts    ─┘
//! ```
//!
//! In: files as ethereum/tests and execution-spec-tests publish them, and real blocks with the part of the state they
//! touch. Out: a [`Report`], whose order depends on the files alone. There is no second executor here: every
//! transaction runs in [`execute_block`](turnpike_executor::execute_block), every root comes from
//! [`NodeState`](turnpike_state::NodeState). On request all runs in lanes as well ([`Options::workers`]), and many
//! state tests in one block ([`run_packed`]); [`state_chains`] makes chains of them for whoever proves blocks. What is known to fail is listed case by case in `expected.rs`.

mod answered;
mod block_test;
mod error;
mod execute;
mod expected;
mod fork;
mod packed;
mod print;
mod quantity;
mod report;
mod run;
mod signed;
mod state_test;
mod suite;
mod tally;
mod transaction;
mod transaction_test;
mod trie_test;

pub use block_test::RealBlock;
pub use error::ConformanceError;
pub use packed::{PackOptions, run_packed};
pub use print::{write_json, write_markdown, write_table};
pub use report::{Counts, Failure, Kind, Report, SuiteReport, Unreadable, Verdict};
pub use run::{Options, blocks, run, suites};
pub use state_test::{StateChain, state_chains};
pub use transaction::TestTransaction;
