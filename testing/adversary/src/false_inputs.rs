//! The false inputs of each attack on the oracle. `None` if the block holds nothing that the attack
//! can falsify.

use std::borrow::Cow;

use alloy_primitives::{Address, B256, Bytes, U256, address};
use turnpike_executor::{BlockOutcome, ChainHead, execute_next_block};
use turnpike_game::prove::{run_native, witness};
use turnpike_protocol::{
    BLOB_BYTES, Batch, BatchBlock, BatchHead, BlockInput, ChainConfig, DataKind, EcrecoverInput,
    Effort, Entry, EntryBlocks, EntryData, LocalInput, Preimage, Preimages, SignedTx, blob_key,
    calldata_hash, derive, ecrecover, keccak_key, pack_blobs, precompile_key, unpack_blobs,
};
use turnpike_state::{PartialState, PrecompileOutcome, PreimageSource};

use crate::{AdversaryError, false_oracle::FalsePreimages, inbox_copy::TargetBlock};

const ECRECOVER: Address = address!("0000000000000000000000000000000000000001");

/// Wei that the false state credits.
const ETHER: u64 = 1_000_000_000_000_000_000;

/// The inputs that an attack claims the program reads, and the block that results from them.
#[derive(Debug)]
pub(crate) struct FalseInputs {
    /// The true preimages of everything that the program may read.
    pub(crate) witness: Preimages,
    /// The false preimages.
    pub(crate) preimages: FalsePreimages,
    /// The head that the block builds on.
    pub(crate) head: ChainHead,
    /// The block.
    pub(crate) input: BlockInput,
}

impl FalseInputs {
    /// Executes the block on these inputs.
    pub(crate) fn transition(&self, config: &ChainConfig) -> Result<BlockOutcome, AdversaryError> {
        let Self { head, input, .. } = self;
        let mut state = PartialState::new(head.output.state_root, self);
        Ok(execute_next_block(config, &head.header, head.hash(), input, &mut state)?)
    }
}

impl PreimageSource for &FalseInputs {
    fn preimage(&mut self, hash: &B256) -> Option<Bytes> {
        match self.witness.get(&keccak_key(*hash))? {
            Preimage::Keccak { bytes } => Some(bytes.clone()),
            _ => None,
        }
    }

    fn precompile(&mut self, address: &Address, input: &[u8]) -> Option<PrecompileOutcome> {
        let result = self.preimages.get(&precompile_key(address, input))?;
        Some(match result.split_first() {
            Some((1, _)) => PrecompileOutcome::Output(result.slice(1..)),
            _ => PrecompileOutcome::Failure,
        })
    }
}

/// Claims an agreed state in which an account has an additional ether.
pub(crate) fn state(block: &TargetBlock<'_>) -> Result<Option<FalseInputs>, AdversaryError> {
    let mut genesis = block.inbox.genesis().clone();
    let sender = block.input.transactions.last().and_then(|tx| tx.signer().ok());
    let rich = genesis.alloc.iter().find(|(_, account)| !account.balance.is_zero());
    let Some(account) = sender.or_else(|| rich.map(|(account, _)| *account)) else {
        return Ok(None);
    };
    genesis.alloc.entry(account).or_default().balance += U256::from(ETHER);
    let Some(false_block) = block.inbox.target(&genesis, block.at)? else { return Ok(None) };
    let mut witness = true_witness(&false_block, &block.source(), &block.input)?;
    let head = false_block.chain.head().clone();
    witness.local.output_root = block.chain.head().output.hash();
    let claimed = Bytes::copy_from_slice(head.output.hash().as_slice());
    let preimages = FalsePreimages::from([(LocalInput::OutputRoot.key(), claimed)]);
    Ok(Some(FalseInputs { witness, preimages, head, input: block.input.clone() }))
}

/// Claims that the entry consumes no deposits.
pub(crate) fn deposit(block: &TargetBlock<'_>) -> Result<Option<FalseInputs>, AdversaryError> {
    let source = block.source();
    if source.deposits.is_empty() {
        return Ok(None);
    }
    let entries = block.inbox.entries();
    let index = usize::try_from(source.entry.index).expect("invariant: entries are in memory");
    let before = &entries[index - 1];
    let mut entry = Entry {
        deposit_count: source.previous.deposit_count,
        deposit_acc: before.entry.deposit_acc,
        ..*source.entry
    };
    let mut data = Cow::Borrowed(source.data);
    if let Some(mut batch) = read_batch(block) {
        batch.deposit_hints.clear();
        batch.blocks.iter_mut().for_each(|block| block.deposit_count = 0);
        data = encode(block, &batch)?.into();
        (entry.data_kind, entry.data_hash) = (DataKind::Calldata, calldata_hash(&data));
    }
    other_entry(block, &EntryData { entry: &entry, data: &data, deposits: &[], ..source })
}

/// Claims that L1 holds `source` instead of the block's entry.
fn other_entry(
    block: &TargetBlock<'_>,
    source: &EntryData<'_>,
) -> Result<Option<FalseInputs>, AdversaryError> {
    let Some(input) = input_of(block, source, SignedTx::recover)? else { return Ok(None) };
    let mut entries = block.inbox.entries().to_vec();
    let index = usize::try_from(source.entry.index).expect("invariant: entries are in memory");
    let (before, acc) = (entries[index - 1].acc, entries[index].acc);
    entries[index].entry = *source.entry;
    let inbox = block.inbox.witness_inbox(&entries, source);
    let witness = witness(&block.chain, &inbox, block.at.index, Some(&input))?;
    let claimed = source.entry.preimage(before).into();
    let preimages = FalsePreimages::from([(keccak_key(acc), claimed)]);
    Ok(Some(FalseInputs { witness, preimages, head: block.chain.head().clone(), input }))
}

/// Claims that the entry holds another batch: without the block's last transaction, or with the
/// block a second later if it has none. If L1 holds garbage, the claimed batch is valid.
pub(crate) fn decompression(
    block: &TargetBlock<'_>,
) -> Result<Option<FalseInputs>, AdversaryError> {
    let source = block.source();
    if source.entry.data_kind == DataKind::None {
        return Ok(None);
    }
    let batch = read_batch(block).map_or_else(|| invented(&source), |it| shortened(it, block));
    let data = encode(block, &batch)?;
    if source.entry.data_kind == DataKind::Calldata {
        let entry = Entry { data_hash: calldata_hash(&data), ..*source.entry };
        return other_entry(block, &EntryData { entry: &entry, data: &data, ..source });
    }
    // The program does not hash blobs. A KZG proof on L1 verifies their elements.
    let packed = pack_blobs(&data).filter(|packed| packed.len() == source.data.len());
    let Some(packed) = packed else { return Ok(None) };
    let blobs = packed.chunks(BLOB_BYTES).map(Bytes::copy_from_slice);
    let preimages = source.blob_hashes.iter().map(|hash| blob_key(*hash)).zip(blobs).collect();
    let false_source = EntryData { data: &packed, ..source.clone() };
    let Some(input) = input_of(block, &false_source, SignedTx::recover)? else { return Ok(None) };
    let witness = true_witness(block, &source, &input)?;
    Ok(Some(FalseInputs { witness, preimages, head: block.chain.head().clone(), input }))
}

/// Claims that a transaction was signed by another account whose nonce matches.
pub(crate) fn signature(block: &TargetBlock<'_>) -> Result<Option<FalseInputs>, AdversaryError> {
    let executed = block.chain.run(&block.input)?;
    let skipped = executed.skipped.iter().map(|tx| tx.hash).collect::<Vec<_>>();
    let transactions = &block.input.transactions;
    // A transaction that the true block skips certainly makes a difference, because the false block
    // includes it.
    let forged = transactions.iter().find(|tx| skipped.contains(&tx.hash()));
    let Some(forged) = forged.or_else(|| transactions.last()) else { return Ok(None) };
    let signs = |account: &Address| {
        let found = block.chain.state().account(account);
        forged.signer() != Ok(*account)
            && found.is_some_and(|it| it.nonce == forged.nonce() && it.balance > U256::from(ETHER))
    };
    let Some(victim) = block.inbox.genesis().alloc.keys().find(|it| signs(it)) else {
        return Ok(None);
    };
    let mut requested: Option<EcrecoverInput> = None;
    SignedTx::recover_with(forged.envelope().clone(), &mut |input| {
        requested = Some(*input);
        ecrecover(input)
    });
    let Some(requested) = requested else { return Ok(None) };
    let false_ecrecover = |input: &EcrecoverInput| {
        if *input == requested { Some(*victim) } else { ecrecover(input) }
    };
    let source = block.source();
    let recover = |envelope| SignedTx::recover_with(envelope, &mut |input| false_ecrecover(input));
    let Some(input) = input_of(block, &source, recover)? else { return Ok(None) };
    let witness = true_witness(block, &source, &input)?;
    let claimed = [&[1], victim.into_word().as_slice()].concat().into();
    let preimages = FalsePreimages::from([(precompile_key(&ECRECOVER, &requested), claimed)]);
    Ok(Some(FalseInputs { witness, preimages, head: block.chain.head().clone(), input }))
}

/// Claims that a precompile fails, or that a failing one succeeds.
pub(crate) fn precompile(block: &TargetBlock<'_>) -> Result<Option<FalseInputs>, AdversaryError> {
    let witness = true_witness(block, &block.source(), &block.input)?;
    let read = run_native(&witness).read;
    let called = read.iter().find_map(|(key, preimage)| match preimage {
        Preimage::Precompile { address, output, .. } if *address != ECRECOVER => {
            Some((*key, output.is_some()))
        }
        _ => None,
    });
    let Some((key, succeeds)) = called else { return Ok(None) };
    let claimed = Bytes::from_static(if succeeds { &[0] } else { &[1] });
    let (head, input) = (block.chain.head().clone(), block.input.clone());
    Ok(Some(FalseInputs {
        witness,
        preimages: FalsePreimages::from([(key, claimed)]),
        head,
        input,
    }))
}

/// The true preimages that the program may read: L1's entry of the block, and the state that
/// `input` needs.
fn true_witness(
    block: &TargetBlock<'_>,
    source: &EntryData<'_>,
    input: &BlockInput,
) -> Result<Preimages, AdversaryError> {
    let inbox = block.inbox.witness_inbox(block.inbox.entries(), source);
    Ok(witness(&block.chain, &inbox, block.at.index, Some(input))?)
}

/// The block's input, as `source` derives it.
fn input_of(
    block: &TargetBlock<'_>,
    source: &EntryData<'_>,
    recover: impl FnMut(turnpike_protocol::TxEnvelope) -> SignedTx,
) -> Result<Option<BlockInput>, AdversaryError> {
    let config = &block.inbox.genesis().config;
    let index = usize::try_from(block.at.index).expect("invariant: the block was derived");
    let parent = block.chain.head().parent;
    let input = EntryBlocks::open(config, source)?.block(index, parent)?;
    Ok(input.map(|input| input.map_transactions(recover)))
}

/// The entry's batch, if it is valid.
fn read_batch(block: &TargetBlock<'_>) -> Option<Batch> {
    let source = block.source();
    let config = &block.inbox.genesis().config;
    if derive(config, block.chain.head().parent, &source).ok()?.fault.is_some() {
        return None;
    }
    let limits = config.batch_limits();
    match source.entry.data_kind {
        DataKind::None => None,
        DataKind::Calldata => Batch::decode(source.data, &limits).ok(),
        DataKind::Blobs => Batch::decode(&unpack_blobs(source.data)?, &limits).ok(),
    }
}

fn encode(block: &TargetBlock<'_>, batch: &Batch) -> Result<Vec<u8>, AdversaryError> {
    let limits = block.inbox.genesis().config.batch_limits();
    Ok(batch.encode(limits, Effort::Fast)?)
}

/// The batch without the block's last transaction, or with the block a second later if it has none.
fn shortened(mut batch: Batch, block: &TargetBlock<'_>) -> Batch {
    let index = usize::try_from(block.at.index).unwrap_or(usize::MAX);
    if let Some(block) = batch.blocks.get_mut(index)
        && block.transactions.pop().is_none()
    {
        block.step_ms += 1_000;
    }
    if let Some(block) = batch.blocks.get_mut(index)
        && block.transactions.is_empty()
    {
        block.state_root = None;
    }
    batch
}

/// A batch of one block, a second later than the one that garbage derives.
fn invented(source: &EntryData<'_>) -> Batch {
    let deposit_count = source.deposits.len() as u64;
    let hint = |log_index| turnpike_protocol::DepositHint { l1_block_hash: B256::ZERO, log_index };
    let head = BatchHead { first_deposit: source.previous.deposit_count, ..BatchHead::default() };
    // Far ahead of any parent, the block takes the latest time that the entry allows.
    let step_ms = u64::MAX;
    Batch {
        head,
        blocks: vec![BatchBlock { step_ms, deposit_count, ..BatchBlock::default() }],
        deposit_hints: (0..deposit_count).map(hint).collect(),
    }
}
