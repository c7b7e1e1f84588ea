//! The hook that lets a test build a dishonest node.

use core::fmt::Debug;

use crate::Executed;

/// Changes a block after its transactions ran and before its state root is computed.
///
/// Nodes run without a hook: no flag, variable or configuration installs one. Constructors take it
/// separately from the configuration, so that only tests and `turnpike dev --liar` can build a
/// dishonest node.
pub trait ExecutionHook: Debug + Send + Sync {
    /// Sees every block once and may change its state diff.
    fn before_state_root(&mut self, block: &mut Executed);
}
