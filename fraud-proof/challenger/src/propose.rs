//! A challenger that proposes as well: [`ProposerView`] decides what it sends.

use tracing::{info, warn};
use turnpike_derivation::{ProposerAction, ProposerView};
use turnpike_tx_manager::{SendOutcome, TxCandidate};

use crate::{act::derived_outputs, challenger::Challenger, purpose::Purpose};

impl Challenger {
    /// Finalizes or proposes what is to be: one at a time.
    pub(crate) async fn propose(&mut self) -> anyhow::Result<()> {
        let (Some(propose), Some(sender), Some(head)) =
            (self.propose, &self.sender, self.view.head())
        else {
            return Ok(());
        };
        if sender.is_any_busy(Purpose::is_proposing) {
            return Ok(());
        }
        let derived = derived_outputs(&self.verifier);
        let look = ProposerView {
            config: &self.config,
            interval: propose.interval,
            own: sender.address(),
            l1_time: head.time,
            entries: self.view.entries(),
            derived: &derived,
            outputs: self.view.outputs(),
        };
        let candidate = match look.next_action() {
            None => return Ok(()),
            Some(ProposerAction::Finalize(output)) => self.finalization(output),
            Some(ProposerAction::Void(output)) => self.voiding(output),
            Some(ProposerAction::Propose { parent, entry }) => self.proposal(parent, entry),
        };
        let Some(candidate) = candidate else { return Ok(()) };
        let purpose = candidate.purpose.clone();
        if let Some(SendOutcome::Sent(l1_transaction)) = self.send(candidate).await? {
            info!(?purpose, %l1_transaction, "proposing");
        }
        Ok(())
    }

    /// Finalizes an output.
    fn finalization(&self, output: u64) -> Option<TxCandidate<Purpose>> {
        let claim = self.view.outputs().get(usize::try_from(output).ok()?)?.claim;
        let call = self.calls.finalize(output);
        Some(TxCandidate::call(Purpose::Finalize { output, claim }, call))
    }

    /// Returns the bond of an output that is built on a rejected one.
    fn voiding(&self, output: u64) -> Option<TxCandidate<Purpose>> {
        let claim = self.view.outputs().get(usize::try_from(output).ok()?)?.claim;
        let call = self.calls.void_output(output);
        Some(TxCandidate::call(Purpose::Void { output, claim }, call))
    }

    /// Proposes the derived output after an entry.
    fn proposal(&self, parent: usize, entry: usize) -> Option<TxCandidate<Purpose>> {
        let (parent, posted) = (self.view.outputs().get(parent)?, self.view.entries().get(entry)?);
        let index = posted.entry.index;
        let Some(derived) = self.verifier.entry(index) else {
            warn!(entry, "entry to propose is not derived");
            return None;
        };
        let call = self.calls.propose(parent, posted, &derived.output, &derived.header);
        let purpose = Purpose::Propose { entry: index, acc: posted.acc };
        Some(TxCandidate::call(purpose, call))
    }
}
