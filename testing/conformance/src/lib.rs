//! Runs Ethereum's public test suites and real blocks with the product's own executor and trie.
//!
//! ```text
//! directory ─► discover ─► items ─► state_test        ─► execute_block, state root  ─┐
//!                                   transaction_test  ─► decode, recover, execute   ─┼─► Report ─► table, JSON
//!                                   trie_test         ─► Trie                       ─┤
//!                                   block_test        ─► execute_block, receipts    ─┘
//! ```
//!
//! Input: files that ethereum/tests and execution-spec-tests publish, and real blocks with the part
//! of the state that they touch. Output: a [`Report`] whose order depends on the files alone. There
//! is no second executor here: every transaction runs in
//! [`execute_block`](turnpike_executor::execute_block), every root comes from
//! [`NodeState`](turnpike_state::NodeState).
//!
//! [`RunOptions::workers`] also runs everything on the parallel engine. [`run_packed`] packs many
//! state tests into one block for it. [`state_chains`] turns state tests into chains for tests of
//! the proof program. `expected.rs` lists the cases that are known to fail.
//!
//! Each module uses only modules above it or to its left in this list:
//!
//! ```text
//! error  quantity  case  report  compare  transaction
//! suite  external_precompiles  execute  expected
//! fork  signed  tally  test_file
//! state_test  transaction_test  trie_test  block_test
//! run
//! packed  print
//! ```

mod block_test;
mod case;
mod compare;
mod error;
mod execute;
mod expected;
mod external_precompiles;
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
mod test_file;
mod transaction;
mod transaction_test;
mod trie_test;

pub use block_test::RealBlock;
pub use error::ConformanceError;
pub use packed::{PackOptions, run_packed};
pub use print::{write_json, write_markdown, write_table};
pub use report::{Counts, Failure, Report, SuiteReport, TestKind, Unreadable, Verdict};
pub use run::{RunOptions, blocks, run, suites};
pub use state_test::{StateChain, state_chains};
pub use transaction::TestTransaction;
