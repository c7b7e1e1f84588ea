use std::collections::BTreeMap;

use alloy::eips::BlockNumberOrTag;
use alloy_primitives::{B256, U256};
use tokio::task::JoinSet;
use turnpike_l1::{Call, Inbox, L1Client, L1Error, Portal, Rollup};
use turnpike_protocol::{ChainConfig, Withdrawal};

use crate::{
    BridgeError, Calls, DepositFacts, Node, OutputFacts, ProvenFacts, Queue, Receipt, SentDeposit,
    WithdrawalFacts,
};

/// Most concurrent requests.
const REQUESTS_MAX: usize = 32;

/// L1 blocks over which the block time is averaged.
const RECENT_BLOCKS: u64 = 16;

/// L2 gas of a deposit without data, and on top of the portal's minimum with data.
const PLAIN_GAS: u64 = 100_000;
const CALL_GAS: u64 = 200_000;

/// `Status` in the `Rollup` contract.
const PROPOSED: u8 = 1;
const FINAL: u8 = 3;

/// Queries to the chain's contracts on L1.
#[derive(Clone, Debug)]
pub struct Settlement {
    client: L1Client,
    node: Node,
    config: ChainConfig,
}

/// An output in the contract's storage.
#[derive(Clone, Copy, Debug)]
struct HeldOutput {
    root: B256,
    parent: u64,
    l2_block: u64,
    proposed_at: u64,
    status: u8,
}

impl Settlement {
    /// The contracts behind `client`; `node` is the same endpoint.
    pub const fn new(client: L1Client, node: Node, config: ChainConfig) -> Self {
        Self { client, node, config }
    }

    /// The connection.
    pub const fn client(&self) -> &L1Client {
        &self.client
    }

    /// The L1 node.
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// Encodes calls of the contracts.
    pub const fn calls(&self) -> Calls {
        Calls::new(self.client.deployment())
    }

    /// Whether the guardian has paused withdrawals.
    pub async fn is_paused(&self) -> Result<bool, BridgeError> {
        Ok(self.portal().paused().call().await.map_err(L1Error::from)?)
    }

    /// Checks that the guardian has not paused withdrawals.
    pub async fn check_open(&self) -> Result<(), BridgeError> {
        if self.is_paused().await? { Err(BridgeError::Paused) } else { Ok(()) }
    }

    /// Checks that the portal holds a withdrawal's ether. L2's genesis balances, large on
    /// development chains, have no ether behind them on L1.
    pub async fn check_payout(&self, withdrawal: &Withdrawal) -> Result<(), BridgeError> {
        let (held, value) =
            (self.node.balance(self.client.deployment().portal).await?, withdrawal.value);
        if held >= value { Ok(()) } else { Err(BridgeError::NotDeposited { held, value }) }
    }

    /// The call that deposits a call of L2. It mints nothing: add the ether to mint with
    /// [`Call::with_value`]. Without `gas_limit`, the call gets the usual limit.
    pub async fn deposit_call(
        &self,
        call: Call,
        gas_limit: Option<u64>,
    ) -> Result<Call, BridgeError> {
        let gas_limit = match gas_limit {
            Some(gas_limit) => gas_limit,
            None if call.input.is_empty() => PLAIN_GAS,
            None => {
                let bytes = call.input.len() as u64;
                let least = self.portal().minimumGasLimit(bytes, false).call().await;
                least.map_err(L1Error::from)?.saturating_add(CALL_GAS)
            }
        };
        Ok(self.calls().deposit(call, gas_limit))
    }

    /// The deposits that an L1 transaction has queued; none if L1 does not hold it.
    pub async fn deposits_of(&self, transaction: B256) -> Result<Vec<SentDeposit>, BridgeError> {
        match self.node.receipt(transaction).await? {
            Some(receipt) => self.deposits_in(&receipt),
            None => Ok(Vec::new()),
        }
    }

    /// The deposits in an L1 transaction's receipt.
    pub fn deposits_in(&self, receipt: &Receipt) -> Result<Vec<SentDeposit>, BridgeError> {
        SentDeposit::all_in(self.client.deployment().portal, &receipt.logs)
    }

    /// The facts that determine a withdrawal's stage, from its hash and its L2 block.
    pub async fn withdrawal_facts(
        &self,
        withdrawal: B256,
        l2_block: u64,
    ) -> Result<WithdrawalFacts, BridgeError> {
        let portal = self.portal();
        let is_finalized =
            portal.finalizedWithdrawals(withdrawal).call().await.map_err(L1Error::from)?;
        let proven = portal.provenWithdrawals(withdrawal).call().await.map_err(L1Error::from)?;
        let proven_on =
            if proven.timestamp == 0 { None } else { proven.l2OutputIndex.try_into().ok() };
        let (held, base) = self.held_outputs(proven_on).await?;
        let facts = |index: u64| facts_of(&held, index);
        let at = u64::try_from(proven.timestamp).unwrap_or(u64::MAX);
        let proven = proven_on.and_then(facts).map(|output| ProvenFacts { output, at });
        Ok(WithdrawalFacts {
            withdrawal,
            now: self.now().await?,
            l2_block,
            outputs: held.range(base..).filter_map(|(index, _)| facts(*index)).collect(),
            proven,
            is_finalized,
            challenge_window: self.config.challenge_window,
        })
    }

    /// The root that an output claims.
    pub(crate) async fn output_root(&self, index: u64) -> Result<B256, BridgeError> {
        Ok(self.held_output(index).await?.root)
    }

    /// L1 time, in seconds.
    pub(crate) async fn now(&self) -> Result<u64, BridgeError> {
        Ok(self.node.latest_block().await?.timestamp.to())
    }

    /// The newest final output, all later ones, their ancestors, and `also`, with the index of the
    /// first.
    async fn held_outputs(
        &self,
        also: Option<u64>,
    ) -> Result<(BTreeMap<u64, HeldOutput>, u64), BridgeError> {
        let rollup = Rollup::new(self.client.deployment().rollup, self.client.provider());
        let count = rollup.outputCount().call().await.map_err(L1Error::from)?;
        let base = rollup.lastFinalIndex().call().await.map_err(L1Error::from)?;
        let (base, count): (u64, u64) = (base.saturating_to(), count.saturating_to());
        let mut held = BTreeMap::new();
        let mut missing: Vec<u64> = (base..count).chain(also.filter(|also| *also < base)).collect();
        while !missing.is_empty() {
            for some in missing.chunks(REQUESTS_MAX) {
                self.read_outputs(some, &mut held).await?;
            }
            // Parents are older, so this ends.
            let parents = held.values().filter(|output| output.status == PROPOSED);
            let parents = parents.map(|output| output.parent);
            missing = parents.filter(|parent| !held.contains_key(parent)).collect();
            missing.dedup();
        }
        Ok((held, base))
    }

    async fn read_outputs(
        &self,
        indexes: &[u64],
        held: &mut BTreeMap<u64, HeldOutput>,
    ) -> Result<(), BridgeError> {
        let mut requests = JoinSet::new();
        for index in indexes.iter().copied() {
            let settlement = self.clone();
            requests.spawn(async move { (index, settlement.held_output(index).await) });
        }
        while let Some(answer) = requests.join_next().await {
            let (index, output) = answer.expect("invariant: a request does not panic");
            held.insert(index, output?);
        }
        Ok(())
    }

    async fn held_output(&self, index: u64) -> Result<HeldOutput, BridgeError> {
        let rollup = Rollup::new(self.client.deployment().rollup, self.client.provider());
        let output = rollup.output(U256::from(index)).call().await.map_err(L1Error::from)?;
        Ok(HeldOutput {
            root: output.outputRoot,
            parent: output.parentIndex.saturating_to(),
            l2_block: output.l2BlockNumber,
            proposed_at: output.proposedAt,
            status: output.status,
        })
    }

    /// A deposit's queue index.
    ///
    /// Reads only L1's newest state, which every node has: deposits are queued in order of time,
    /// and the queue's accumulator distinguishes those of one block.
    pub async fn queue_index(&self, deposit: &SentDeposit) -> Result<u64, BridgeError> {
        let missing = || {
            let block = deposit.l1_block_number;
            BridgeError::Inconsistent(format!(
                "the portal has not queued L1 block {block}'s deposit"
            ))
        };
        let block = self.node.block(deposit.l1_block_number.into()).await?.ok_or_else(missing)?;
        let time = block.timestamp.to();
        let portal = self.portal();
        let queued = portal.depositCount().call().await.map_err(L1Error::from)?;
        let (mut low, mut high) = (0, queued);
        while low < high {
            let middle = low + (high - low) / 2;
            let at = portal.depositTime(middle).call().await.map_err(L1Error::from)?;
            if at < time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut acc = portal.depositAcc(low).call().await.map_err(L1Error::from)?;
        for index in low..queued {
            let next = portal.depositAcc(index + 1).call().await.map_err(L1Error::from)?;
            if deposit.at(index).accumulate(acc) == next {
                return Ok(index);
            }
            let at = portal.depositTime(index).call().await.map_err(L1Error::from)?;
            if at > time {
                break;
            }
            acc = next;
        }
        Err(missing())
    }

    /// The facts that determine a deposit's stage, from its queue index and its inclusion according
    /// to an L2 node.
    pub async fn deposit_facts(
        &self,
        index: u64,
        included: Option<(u64, bool)>,
    ) -> Result<DepositFacts, BridgeError> {
        let portal = self.portal();
        let inbox = Inbox::new(self.client.deployment().inbox, self.client.provider());
        let queued_at = portal.depositTime(index).call().await.map_err(L1Error::from)?;
        let consumed = inbox.consumedDeposits().call().await.map_err(L1Error::from)?;
        Ok(DepositFacts {
            now: self.now().await?,
            queued_at,
            force_window: self.config.force_window,
            l1_block_seconds: self.l1_block_seconds().await?,
            is_consumed: index < consumed,
            included,
        })
    }

    /// State of the deposit queue.
    pub async fn queue(&self) -> Result<Queue, BridgeError> {
        let portal = self.portal();
        let inbox = Inbox::new(self.client.deployment().inbox, self.client.provider());
        let consumed = inbox.consumedDeposits().call().await.map_err(L1Error::from)?;
        let queued = portal.depositCount().call().await.map_err(L1Error::from)?;
        let overdue_at = if consumed < queued {
            let time = portal.depositTime(consumed).call().await.map_err(L1Error::from)?;
            Some(time.saturating_add(self.config.force_window))
        } else {
            None
        };
        Ok(Queue { consumed, queued, overdue_at, now: self.now().await? })
    }

    /// Recent seconds between L1 blocks, at least one.
    async fn l1_block_seconds(&self) -> Result<u64, BridgeError> {
        let latest = self.node.latest_block().await?;
        let number: u64 = latest.number.to();
        let earlier = BlockNumberOrTag::from(number.saturating_sub(RECENT_BLOCKS));
        let Some(earlier) = self.node.block(earlier).await? else { return Ok(1) };
        let blocks = number.saturating_sub(earlier.number.to()).max(1);
        let seconds = latest.timestamp.to::<u64>().saturating_sub(earlier.timestamp.to());
        Ok((seconds / blocks).max(1))
    }

    fn portal(&self) -> Portal::PortalInstance<&alloy::providers::DynProvider> {
        Portal::new(self.client.deployment().portal, self.client.provider())
    }
}

/// An output and whether it stands. `held` has all its ancestors down to the first final one.
fn facts_of(held: &BTreeMap<u64, HeldOutput>, index: u64) -> Option<OutputFacts> {
    let output = held.get(&index)?;
    let mut below = output;
    let stands = loop {
        match below.status {
            PROPOSED => below = held.get(&below.parent)?,
            status => break status == FINAL,
        }
    };
    Some(OutputFacts {
        index,
        l2_block: output.l2_block,
        proposed_at: output.proposed_at,
        stands,
        is_final: output.status == FINAL,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGED: u8 = 2;
    const REJECTED: u8 = 4;

    const fn output(parent: u64, status: u8) -> HeldOutput {
        HeldOutput { root: B256::ZERO, parent, l2_block: 7, proposed_at: 9, status }
    }

    #[test]
    fn output_on_a_challenged_one_does_not_stand() {
        let held = BTreeMap::from([
            (4, output(3, FINAL)),
            (5, output(4, CHALLENGED)),
            (6, output(5, PROPOSED)),
            (7, output(6, PROPOSED)),
            (8, output(4, PROPOSED)),
            (9, output(8, PROPOSED)),
            (10, output(9, REJECTED)),
        ]);
        let stands = |index| facts_of(&held, index).map(|facts| (facts.stands, facts.is_final));
        assert_eq!(stands(4), Some((true, true)));
        assert_eq!([5, 6, 7, 10].map(stands), [Some((false, false)); 4]);
        assert_eq!([8, 9].map(stands), [Some((true, false)); 2]);
        assert_eq!(stands(11), None);
    }
}
