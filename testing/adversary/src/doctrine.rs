use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::B256;
use tracing::warn;
use turnpike_game::{ClaimError, ClaimProvider, Trace, prove::BlockPosition};
use turnpike_l1::DisputedOutput;

use crate::{Chronicle, Forgery, LiarError, Roots, forge::claiming};

/// What a liar believes: some roots are others than they are, and the program comes to them. Without a lie it is the truth.
#[derive(Debug)]
pub struct Doctrine {
    chronicle: Arc<Chronicle>,
    roots: Roots,
    /// Runs by entry and block.
    traces: BTreeMap<(u64, u64), Trace>,
}

impl Doctrine {
    /// To believe in these roots. Where an honest run does not come to them, the machine is made to at its end.
    pub const fn new(chronicle: Arc<Chronicle>, roots: Roots) -> Self {
        Self { chronicle, roots, traces: BTreeMap::new() }
    }

    /// To believe what is true.
    pub fn honest(chronicle: Arc<Chronicle>) -> Result<Self, LiarError> {
        let roots = chronicle.roots()?;
        Ok(Self::new(chronicle, roots))
    }

    /// To believe in a false block, and that nothing changes after it.
    #[must_use]
    pub fn with_last(mut self, forgery: Forgery) -> Self {
        self.roots.set_from(forgery.at, forgery.output.hash());
        self.with_trace(forgery)
    }

    /// To believe in a false block, and in nothing that would follow from it.
    #[must_use]
    pub fn with_one(mut self, forgery: Forgery) -> Self {
        self.roots.set(forgery.at, forgery.output.hash());
        self.with_trace(forgery)
    }

    fn with_trace(mut self, Forgery { at, trace, .. }: Forgery) -> Self {
        self.traces.insert((at.entry, at.index), trace);
        self
    }

    /// The roots that are believed in.
    pub const fn roots(&self) -> &Roots {
        &self.roots
    }

    fn make_trace(&self, at: BlockPosition) -> Result<Option<Trace>, LiarError> {
        let Some(mut honest) = self.chronicle.trace(at)? else { return Ok(None) };
        let believed = self.roots.after_block(at);
        if honest.output_root()? == believed {
            return Ok(Some(honest));
        }
        believed.map(|root| claiming(&mut honest, root)).transpose()
    }
}

impl ClaimProvider for Doctrine {
    fn root_at(&mut self, output: &DisputedOutput, position: u64) -> Result<B256, ClaimError> {
        let (entry, _) = output.block_at(position);
        self.roots.at(output, position).ok_or(ClaimError::NotDerived(entry))
    }

    fn trace(&mut self, output: &DisputedOutput, position: u64) -> Result<&mut Trace, ClaimError> {
        let (entry, index) = output.block_at(position);
        let key = (entry, index);
        if !self.traces.contains_key(&key) {
            let made = self.make_trace(BlockPosition { entry, index });
            let made = made.inspect_err(|error| warn!(%error, entry, index, "no run of a block"));
            if let Ok(Some(trace)) = made {
                self.traces.insert(key, trace);
            }
        }
        self.traces.get_mut(&key).ok_or(ClaimError::NotPrepared { entry, index })
    }
}
