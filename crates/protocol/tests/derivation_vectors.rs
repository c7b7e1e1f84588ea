//! Golden vectors of derivation. `contracts/derivation-vectors.mjs` computes them from the text of
//! the rules, independently of this crate.

use std::{fmt::Debug, str::FromStr};

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use serde_json::Value;
use turnpike_protocol::{
    Batch, BatchBlock, BatchHead, BatchLimits, BlockInput, ChainConfig, DEPOSITOR_ACCOUNT,
    DataKind, Deposit, DepositHint, Derived, Effort, Entry, EntryBlocks, EntryData, Genesis, Load,
    Parent, StateRootPrefix, TxEnvelope, blobs_for, blobs_hash, calldata_hash, decode_transaction,
    derive, extra_data, pack_blobs,
};

/// Limits of an encoder whose batches exceed the chain's limits.
const WIDE: BatchLimits = BatchLimits {
    blocks_max: usize::MAX,
    block_transactions_max: usize::MAX,
    deposits_max: usize::MAX,
    inflated_bytes_max: usize::MAX,
    mixed_bytes_max: usize::MAX,
};

/// Sender of every deposit.
const DEPOSITOR: Address = Address::repeat_byte(1);

/// Deposits before the entry of the counts.
const BEFORE: u64 = 5;

fn vectors() -> Value {
    let path = format!("{}/vectors/derivation.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("vectors are shipped");
    serde_json::from_str(&text).expect("vectors are JSON")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn parse<T: FromStr<Err: Debug>>(value: &Value) -> T {
    value.as_str().expect("a string").parse().expect("well-formed")
}

fn config(vectors: &Value, case: &Value) -> ChainConfig {
    let mut config = Genesis::dev().config;
    let own =
        |name: &str| parse(case["config"].get(name).unwrap_or_else(|| &vectors["config"][name]));
    config.time_drift_max = own("timeDriftMax");
    config.origin_age_max = own("originAgeMax");
    config.deposit_gas_per_block = own("depositGasPerBlock");
    config.entry_blocks_max = own("entryBlocksMax");
    config.entry_deposits_max = own("entryDepositsMax");
    config.entry_inflated_bytes_max = own("entryInflatedBytesMax");
    config.validate().expect("rules that a chain may have");
    config
}

fn kind(value: &Value) -> DataKind {
    DataKind::from_u8(parse(value)).expect("a known kind")
}

fn deposit(index: u64, l1_block_number: u64, gas_limit: u64) -> Deposit {
    let mut data = [0; 73];
    data[64..72].copy_from_slice(&gas_limit.to_be_bytes());
    Deposit {
        index,
        l1_block_number,
        from: DEPOSITOR,
        to: Address::repeat_byte(2),
        version: U256::ZERO,
        opaque_data: Bytes::copy_from_slice(&data),
    }
}

/// Each item as often as it says.
fn unrolled(runs: &Value) -> impl Iterator<Item = &Value> {
    let times = |run: &Value| usize::try_from(parse::<u64>(&run["count"])).expect("few");
    list(runs).iter().flat_map(move |run| std::iter::repeat_n(run, times(run)))
}

fn deposits(before: u64, runs: &Value) -> Vec<Deposit> {
    let deposit = |(index, run): (u64, &Value)| {
        deposit(index, parse(&run["l1BlockNumber"]), parse(&run["gasLimit"]))
    };
    (before..).zip(unrolled(runs)).map(deposit).collect()
}

fn transactions(value: Option<&Value>) -> Vec<TxEnvelope> {
    let raws = value.map_or(&[][..], list).iter().map(parse::<Bytes>);
    raws.map(|raw| decode_transaction(&raw).expect("a transaction")).collect()
}

fn batch(vectors: &Value, value: &Value) -> Batch {
    let block = |block: &Value| {
        let transactions = transactions(block.get("transactions"));
        BatchBlock {
            step_ms: parse(&block["stepMs"]),
            deposit_count: parse(&block["depositCount"]),
            state_root: (!transactions.is_empty()).then(StateRootPrefix::default),
            transactions,
        }
    };
    let hint = |hint: &Value| DepositHint {
        l1_block_hash: parse(&hint["l1BlockHash"]),
        log_index: parse(&hint["logIndex"]),
    };
    let blocks: Vec<_> = unrolled(&value["blocks"]).map(block).collect();
    let deposit_hints = match value.get("hints") {
        Some(hints) => list(hints).iter().map(hint).collect(),
        None => plain_hints(vectors, blocks.iter().map(|block| block.deposit_count).sum()),
    };
    let head = BatchHead { first_deposit: parse(&value["firstDeposit"]), reference_time: 1_100 };
    Batch { head, blocks, deposit_hints }
}

fn plain_hints(vectors: &Value, count: u64) -> Vec<DepositHint> {
    let l1_block_hash = parse(&vectors["plainHintHash"]);
    (0..count).map(|log_index| DepositHint { l1_block_hash, log_index }).collect()
}

/// An entry with what its accumulator authenticates.
struct Source {
    entry: Entry,
    previous: Entry,
    origin: Entry,
    data: Vec<u8>,
    blob_hashes: Vec<B256>,
    deposits: Vec<Deposit>,
}

impl Source {
    /// The data of an entry is a batch, or other bytes.
    fn new(entry: Entry, previous: Entry, origin: Entry, data: Vec<u8>) -> Self {
        let (data, blob_hashes, data_hash) = match entry.data_kind {
            DataKind::None => (Vec::new(), Vec::new(), B256::ZERO),
            DataKind::Calldata => {
                let hash = calldata_hash(&data);
                (data, Vec::new(), hash)
            }
            DataKind::Blobs => {
                let hashes: Vec<_> =
                    (0..blobs_for(data.len())).map(|at| keccak256(at.to_be_bytes())).collect();
                let hash = blobs_hash(&hashes);
                (pack_blobs(&data).expect("fits"), hashes, hash)
            }
        };
        let entry = Entry { data_hash, origin: origin.index, ..entry };
        Self { entry, previous, origin, data, blob_hashes, deposits: Vec::new() }
    }

    fn of(vectors: &Value, case: &Value) -> Self {
        let number = |entry: &str, field: &str| parse::<u64>(&case[entry][field]);
        let previous = Entry {
            index: number("previous", "index"),
            data_kind: kind(&case["previous"]["kind"]),
            deposit_count: number("previous", "depositCount"),
            l1_time: number("previous", "l1Time"),
            ..entry(0)
        };
        let origin = Entry {
            l1_time: number("origin", "l1Time"),
            l1_parent_hash: parse(&case["origin"]["l1ParentHash"]),
            ..entry(number("origin", "index"))
        };
        let own = Entry {
            data_kind: kind(&case["entry"]["kind"]),
            l1_time: number("entry", "l1Time"),
            deposit_count: number("entry", "depositCount"),
            ..entry(number("entry", "index"))
        };
        let data = if case["data"].is_string() {
            parse::<Bytes>(&case["data"]).to_vec()
        } else if case["batch"].is_null() {
            Vec::new()
        } else {
            batch(vectors, &case["batch"]).encode(WIDE, Effort::Fast).expect("encodes")
        };
        let deposits = deposits(previous.deposit_count, &case["deposits"]);
        Self { deposits, ..Self::new(own, previous, origin, data) }
    }

    fn as_data(&self) -> EntryData<'_> {
        EntryData {
            entry: &self.entry,
            previous: &self.previous,
            origin: &self.origin,
            data: &self.data,
            blob_hashes: &self.blob_hashes,
            deposits: &self.deposits,
        }
    }
}

fn entry(index: u64) -> Entry {
    Entry {
        index,
        data_kind: DataKind::Calldata,
        data_hash: B256::ZERO,
        deposit_acc: B256::ZERO,
        deposit_count: 0,
        l1_block_number: 10 * index,
        l1_time: 0,
        l1_base_fee: U256::from(7),
        l1_blob_base_fee: U256::ONE,
        l1_parent_hash: B256::ZERO,
        origin: 0,
        origin_acc: B256::ZERO,
        offchain_time: 0,
    }
}

fn parent(value: &Value) -> Parent {
    let origin = &value["origin"];
    Parent {
        number: parse(&value["number"]),
        time_ms: parse(&value["timeMs"]),
        origin: (!origin.is_null()).then(|| parse(origin)),
    }
}

/// What a vector says about a block.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    number: u64,
    time_ms: u64,
    extra_data: Bytes,
    /// Source hashes: of the attributes transaction, and of the deposits.
    attributes: Option<B256>,
    sources: Vec<B256>,
    transactions: Vec<Bytes>,
}

impl Shown {
    fn expected(value: &Value) -> Self {
        let sources = value.get("sources").map_or(&[][..], list);
        let [first, end] = ["firstDeposit", "endDeposit"].map(|name| parse::<u64>(&value[name]));
        assert_eq!(end - first, sources.len() as u64);
        let raws = value.get("transactions").map_or(&[][..], list);
        Self {
            number: parse(&value["number"]),
            time_ms: parse(&value["timeMs"]),
            extra_data: parse(&value["extraData"]),
            attributes: value.get("attributes").map(parse),
            sources: sources.iter().map(parse).collect(),
            transactions: raws.iter().map(parse).collect(),
        }
    }

    fn derived(block: &BlockInput<TxEnvelope>) -> Self {
        let sources = block.deposits.iter().map(|deposit| match deposit {
            TxEnvelope::Deposit(deposit) => (deposit.from, deposit.source_hash),
            other => panic!("not a deposit: {other:?}"),
        });
        let mut sources: Vec<_> = sources.collect();
        let has_attributes = sources.first().is_some_and(|(from, _)| *from == DEPOSITOR_ACCOUNT);
        let attributes = has_attributes.then(|| sources.remove(0).1);
        assert!(sources.iter().all(|(from, _)| *from == DEPOSITOR), "the portal's deposits");
        Self {
            number: block.number,
            time_ms: block.time_ms,
            extra_data: extra_data(Load::default(), block.time_ms),
            attributes,
            sources: sources.into_iter().map(|(_, source)| source).collect(),
            transactions: block.transactions.iter().map(|tx| tx.encoded_2718().into()).collect(),
        }
    }
}

fn derived(config: &ChainConfig, parent: Parent, source: &Source) -> Derived {
    let derived = derive(config, parent, &source.as_data()).expect("derivation never fails");
    let planned = EntryBlocks::open(config, &source.as_data()).expect("derivation never fails");
    assert_eq!(planned.len(), derived.blocks.len(), "the number of blocks needs no parent");
    assert_eq!(derived.queued.len(), source.deposits.len());
    derived
}

#[test]
fn derivation_follows_the_vectors() {
    let vectors = vectors();
    for case in list(&vectors["cases"]) {
        let name = case["name"].as_str().expect("a name");
        let source = Source::of(&vectors, case);
        let derived = derived(&config(&vectors, case), parent(&case["parent"]), &source);
        let expected = &case["derived"];
        assert_eq!(derived.fault.is_some(), expected["isSkipped"] == true, "{name}");
        let blocks: Vec<_> = derived.blocks.iter().map(Shown::derived).collect();
        let expected: Vec<_> = list(&expected["blocks"]).iter().map(Shown::expected).collect();
        assert_eq!(blocks, expected, "{name}");
    }
}

#[test]
fn blocks_take_as_many_deposits_as_the_vectors_say() {
    let vectors = vectors();
    let config = config(&vectors, &Value::Null);
    for row in list(&vectors["counts"]) {
        let row = row.as_str().expect("a row");
        let numbers =
            |list: &str| list.split('+').map(|it| it.parse().expect("a number")).collect();
        let [first, counts, consumed, taken] =
            row.split(' ').collect::<Vec<_>>()[..].try_into().expect("four columns");
        let counts: Vec<u64> = numbers(counts);
        let block = |count: &u64| BatchBlock { deposit_count: *count, ..BatchBlock::default() };
        let batch = Batch {
            head: BatchHead { first_deposit: first.parse().expect("a number"), reference_time: 0 },
            blocks: counts.iter().map(block).collect(),
            deposit_hints: plain_hints(&vectors, counts.iter().sum()),
        };
        let data = batch.encode(WIDE, Effort::Fast).expect("encodes");
        let after = BEFORE + consumed.parse::<u64>().expect("a number");
        let previous = Entry { deposit_count: BEFORE, ..entry(8) };
        let own = Entry { deposit_count: after, ..entry(9) };
        let deposits = (BEFORE..after).map(|index| deposit(index, 60, 100_000)).collect();
        let source = Source { deposits, ..Source::new(own, previous, entry(2), data) };
        let parent = Parent { number: 7, time_ms: 0, origin: Some(2) };
        let derived = derived(&config, parent, &source);
        assert_eq!(derived.fault, None, "{row}");
        let found: Vec<_> = derived.blocks.iter().map(|it| it.deposits.len() as u64).collect();
        assert_eq!(found, numbers(taken), "{row}");
    }
}
