//! What a challenger that proposes as well sends next: [`ProposerView`] decides, this makes the
//! candidate.

use alloy_primitives::{Address, B256};
use tracing::warn;
use turnpike_derivation::{ProposerAction, ProposerView};
use turnpike_game::Calls;
use turnpike_tx_manager::TxCandidate;

use crate::{ProposeConfig, chain::HonestChain, purpose::Purpose};

/// The next transaction about outputs, if there is one at L1 time `l1_time`.
pub(crate) fn next_proposal(
    chain: &HonestChain,
    calls: &Calls,
    config: ProposeConfig,
    own: Address,
    l1_time: u64,
) -> Option<TxCandidate<Purpose>> {
    let derived = chain.derived_outputs();
    let view = ProposerView {
        config: chain.config(),
        interval: config.interval,
        own,
        l1_time,
        entries: chain.view().entries(),
        derived: &derived,
        outputs: chain.view().outputs(),
    };
    match view.next_action()? {
        ProposerAction::Finalize(output) => {
            let purpose = Purpose::Finalize { output, claim: claim_of(chain, output)? };
            Some(TxCandidate::call(purpose, calls.finalize(output)))
        }
        ProposerAction::Void(output) => {
            let purpose = Purpose::Void { output, claim: claim_of(chain, output)? };
            Some(TxCandidate::call(purpose, calls.void_output(output)))
        }
        ProposerAction::Propose { parent, entry } => proposal(chain, calls, parent, entry),
    }
}

fn claim_of(chain: &HonestChain, output: u64) -> Option<B256> {
    Some(chain.view().outputs().get(usize::try_from(output).ok()?)?.claim)
}

/// Proposes the derived output after an entry.
fn proposal(
    chain: &HonestChain,
    calls: &Calls,
    parent: usize,
    entry: usize,
) -> Option<TxCandidate<Purpose>> {
    let parent = chain.view().outputs().get(parent)?;
    let posted = chain.view().entries().get(entry)?;
    let index = posted.entry.index;
    let Some(derived) = chain.verifier().entry(index) else {
        warn!(entry, "entry to propose is not derived");
        return None;
    };
    let call = calls.propose(parent, posted, &derived.output, &derived.header);
    Some(TxCandidate::call(Purpose::Propose { entry: index, acc: posted.acc }, call))
}
