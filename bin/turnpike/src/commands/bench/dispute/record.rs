use std::time::Duration;

use alloy::{consensus::Transaction as _, providers::Provider as _, sol_types::SolCall as _};
use alloy_primitives::{Address, B256};
use turnpike_adversary::Attack;
use turnpike_game::inspect::ClaimRange;
use turnpike_l1::{
    Dispute::{
        challengeCall, defendCall, moveCall, proveCall, resolveCall, returnBondCall, timeOutCall,
    },
    DisputedOutput, L1Client, L1View, OutputStatus,
    PreimageOracle::{loadBlobElementCall, loadKeccakCall, loadPrecompileCall},
};

use super::{
    chain::DisputedChain,
    players::WorkTime,
    table::{CallRow, DisputeTable},
};
use crate::common::genesis_output;

/// The output that the adversary proposes: the only one but the genesis output.
const OUTPUT: u64 = 1;

/// Calls that belong to a dispute. Proposals and withdrawals do not.
const CALLS: [([u8; 4], &str); 10] = [
    (challengeCall::SELECTOR, "challenge"),
    (defendCall::SELECTOR, "defend"),
    (moveCall::SELECTOR, "move"),
    (loadKeccakCall::SELECTOR, "load a hash's preimage"),
    (loadBlobElementCall::SELECTOR, "load a blob's element"),
    (loadPrecompileCall::SELECTOR, "load a precompile's result"),
    (proveCall::SELECTOR, "prove"),
    (timeOutCall::SELECTOR, "time out"),
    (resolveCall::SELECTOR, "resolve"),
    (returnBondCall::SELECTOR, "return bond"),
];

/// The L1 transactions of a dispute.
#[derive(Debug)]
pub(super) struct DisputeRecord<'a> {
    chain: &'a DisputedChain,
    view: L1View,
    /// Each side's account, its name and the time it has worked.
    sides: [(Address, &'static str, WorkTime); 2],
    /// The next L1 block to read.
    next: u64,
    rows: Vec<CallRow>,
}

impl<'a> DisputeRecord<'a> {
    /// Starts after L1's newest block.
    pub(super) async fn open(
        chain: &'a DisputedChain,
        attacking: WorkTime,
        challenging: WorkTime,
    ) -> anyhow::Result<Self> {
        let client = L1Client::connect(chain.l1.url(), &chain.genesis).await?;
        let mut view = L1View::new(client, 0, genesis_output(&chain.genesis));
        let next = view.advance().await?.head.number + 1;
        let sides = [
            (chain.accounts.proposer().address(), "adversary", attacking),
            (chain.accounts.challenger().address(), "challenger", challenging),
        ];
        Ok(Self { chain, view, sides, next, rows: Vec::new() })
    }

    /// Records the transactions of new L1 blocks.
    pub(super) async fn advance(&mut self) -> anyhow::Result<()> {
        let head = self.view.advance().await?.head.number;
        while self.next <= head {
            self.read_block(self.next).await?;
            self.next += 1;
        }
        Ok(())
    }

    pub(super) fn is_proposed(&self) -> bool {
        self.status().is_some()
    }

    pub(super) fn is_rejected(&self) -> bool {
        self.status() == Some(OutputStatus::Rejected)
    }

    fn status(&self) -> Option<OutputStatus> {
        let at = usize::try_from(OUTPUT).ok();
        at.and_then(|at| self.view.outputs().get(at)).map(|output| output.status)
    }

    async fn read_block(&mut self, number: u64) -> anyhow::Result<()> {
        let provider = self.view.client().provider();
        let Some(block) = provider.get_block_by_number(number.into()).full().await? else {
            anyhow::bail!("L1 does not serve block {number}");
        };
        let at = block.header.timestamp;
        for tx in block.transactions.into_transactions() {
            let (hash, from) = (*tx.inner.tx_hash(), tx.inner.signer());
            let selector = tx.inner.input().first_chunk::<4>().copied();
            let call = CALLS.iter().find(|(known, _)| Some(*known) == selector);
            let side = self.sides.iter().find(|(account, ..)| *account == from);
            let (Some((_, call)), Some((_, who, busy))) = (call, side) else { continue };
            let receipt = provider.get_transaction_receipt(hash).await?;
            let before = self.rows.last().map_or(at, |row| row.at);
            self.rows.push(CallRow {
                who,
                call,
                range: None,
                gas: receipt.map_or(0, |receipt| receipt.gas_used),
                work_seconds: busy.take().as_secs_f64(),
                l1_seconds: at - before,
                at,
                l1_transaction: hash,
            });
        }
        Ok(())
    }

    /// The range that a transaction's claims divide, if it makes any.
    fn range_of(&self, l1_transaction: B256) -> Option<String> {
        let disputes = self.view.disputes();
        let blocks_max = self.chain.genesis.config.blocks_per_entry_max();
        let output = DisputedOutput::of(self.view.outputs(), OUTPUT, blocks_max)?;
        let openings = disputes.challenges().iter().map(|challenge| &challenge.opening);
        let moves = disputes.games().iter().flat_map(|game| &game.moves);
        let made = openings.chain(moves).find(|made| made.l1_transaction == l1_transaction)?;
        Some(ClaimRange::new(&output, &made.bisection).text)
    }

    pub(super) fn into_table(
        mut self,
        transactions: usize,
        attack: Attack,
        wall: Duration,
    ) -> DisputeTable {
        let mut rows = std::mem::take(&mut self.rows);
        for row in &mut rows {
            row.range = self.range_of(row.l1_transaction);
        }
        DisputeTable {
            transactions,
            attack: attack.to_string(),
            bisections: rows.iter().filter(|row| row.range.is_some()).count(),
            gas: rows.iter().map(|row| row.gas).sum(),
            wall_seconds: wall.as_secs_f64(),
            rows,
        }
    }
}
