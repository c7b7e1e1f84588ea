use turnpike_challenger::DisputeVerifier;
use turnpike_game::inspect::DisputeRecords;
use turnpike_l1::{DisputedOutput, L1Error, L1View};
use turnpike_protocol::{ChainConfig, Genesis};

use crate::common::{ChainArgs, ExecutionArgs, open_l1_view, read_genesis, with_retries};

/// A read of L1's outputs and disputes.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) genesis: Genesis,
    pub(super) view: L1View,
}

impl Session {
    /// Reads L1 up to its newest block.
    pub(super) async fn look(chain: &ChainArgs) -> anyhow::Result<Self> {
        let mut session = Self::open(chain, 0).await?;
        session.advance(chain).await?;
        Ok(session)
    }

    /// Reads what L1 has added.
    pub(super) async fn advance(&mut self, chain: &ChainArgs) -> Result<(), L1Error> {
        let advance = async |view: &mut L1View| view.advance().await.map(drop);
        with_retries(&mut self.view, chain, advance, L1Error::severity).await
    }

    /// A session that has not read L1 yet.
    pub(super) async fn open(chain: &ChainArgs, confirmations: u64) -> anyhow::Result<Self> {
        let genesis = read_genesis(&chain.genesis)?;
        let view = open_l1_view(chain, &genesis, confirmations).await?;
        Ok(Self { genesis, view })
    }

    pub(super) fn records(&self) -> DisputeRecords<'_> {
        DisputeRecords {
            config: self.config(),
            outputs: self.view.outputs(),
            disputes: self.view.disputes(),
            now: self.view.head().map_or(0, |head| head.time),
        }
    }

    /// Derives the chain up to an output.
    pub(super) async fn derive(
        &self,
        execution: ExecutionArgs,
        output: DisputedOutput,
    ) -> anyhow::Result<DisputeVerifier<'_>> {
        DisputeVerifier::derive(&self.genesis, execution.into(), &self.view, output).await
    }

    pub(super) const fn config(&self) -> &ChainConfig {
        &self.genesis.config
    }
}
