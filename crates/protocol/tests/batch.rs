//! The batch codec: it round-trips every batch, rejects hostile bytes, and follows the format of
//! the golden vectors.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::{
    eip2718::Encodable2718 as _,
    eip2930::{AccessList, AccessListItem},
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, hex, keccak256};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use turnpike_protocol::{
    Batch, BatchBlock, BatchEncoder, BatchError, BatchHead, BatchLimits, DepositHint, Effort,
    StateRootPrefix, TxEnvelope, decode_transaction,
};

const LIMITS: BatchLimits = BatchLimits {
    blocks_max: 2_000,
    block_transactions_max: 10_000,
    deposits_max: 100,
    inflated_bytes_max: 1 << 22,
    mixed_bytes_max: 1 << 16,
};

/// The head of batches whose first block is at the time of [`swap`]'s deadlines.
const HEAD: BatchHead = BatchHead { first_deposit: 0, reference_time: 1_800_000_000 };

fn encode(batch: &Batch) -> Vec<u8> {
    batch.encode(LIMITS, Effort::Fast).expect("within the limits")
}

fn of_transactions(transactions: Vec<TxEnvelope>) -> Batch {
    let state_root = (!transactions.is_empty()).then_some(StateRootPrefix::repeat_byte(9));
    let block = BatchBlock { step_ms: 100, deposit_count: 0, state_root, transactions };
    Batch { head: HEAD, blocks: vec![block], ..Batch::default() }
}

fn call(input: Vec<u8>) -> TxEnvelope {
    let to = TxKind::Call(Address::repeat_byte(3));
    let tx = TxEip1559 { chain_id: 7, to, input: input.into(), ..Default::default() };
    tx.into_signed(Signature::test_signature()).into()
}

/// Draws from few values or from all values, because repeated values are coded differently.
fn any_word() -> impl Strategy<Value = [u8; 32]> {
    prop_oneof![
        Just([0; 32]),
        Just([0xff; 32]),
        (0u8..4).prop_map(|byte| Address::repeat_byte(byte).into_word().0),
        any::<[u8; 20]>().prop_map(|address| Address::new(address).into_word().0),
        (1u64..2_000, 0u32..24).prop_map(|(digits, zeros)| (U256::from(digits)
            * U256::from(10).pow(U256::from(zeros)))
        .to_be_bytes()),
        any::<u128>().prop_map(|number| U256::from(number).to_be_bytes()),
        (1_799_900_000u64..1_800_100_000).prop_map(|time| U256::from(time).to_be_bytes()),
        any::<[u8; 32]>(),
    ]
}

fn any_input() -> impl Strategy<Value = Vec<u8>> {
    let words = (0u8..3, prop::collection::vec(any_word(), 0..24))
        .prop_map(|(selector, words)| [&[selector; 4][..], &words.concat()].concat());
    let bytes = prop::collection::vec(any::<u8>(), 0..100);
    let repetitive = (prop::collection::vec(0u8..3, 1..40), 1usize..20)
        .prop_map(|(bytes, times)| bytes.repeat(times));
    prop_oneof![1 => Just(Vec::new()), 2 => words, 1 => bytes, 1 => repetitive]
}

fn any_u64() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..4, any::<u64>(), Just(u64::MAX)]
}

fn any_u128() -> impl Strategy<Value = u128> {
    prop_oneof![0u128..4, any::<u128>(), Just(u128::MAX)]
}

fn any_access_list() -> impl Strategy<Value = AccessList> {
    let item = (any_word(), prop::collection::vec(any_word(), 0..3)).prop_map(|(address, keys)| {
        let storage_keys = keys.into_iter().map(B256::new).collect();
        AccessListItem { address: Address::from_slice(&address[12..]), storage_keys }
    });
    prop::collection::vec(item, 0..3).prop_map(AccessList)
}

fn any_authorizations() -> impl Strategy<Value = Vec<SignedAuthorization>> {
    let one = (any_word(), any_word(), any_u64(), any::<u8>(), any_word(), any_word());
    let one = one.prop_map(|(chain_id, address, nonce, parity, r, s)| {
        let address = Address::from_slice(&address[12..]);
        let inner = Authorization { chain_id: U256::from_be_bytes(chain_id), address, nonce };
        let (r, s) = (U256::from_be_bytes(r), U256::from_be_bytes(s));
        SignedAuthorization::new_unchecked(inner, parity, r, s)
    });
    prop::collection::vec(one, 0..3)
}

fn any_transaction() -> impl Strategy<Value = TxEnvelope> {
    let fees = (any_u64(), any_u128(), any_u128(), any_u64());
    let target = (any::<bool>(), any_word(), any_word(), any_input());
    let lists = (any_access_list(), any_authorizations());
    let signature = (any_word(), any_word(), any::<bool>());
    let kind = (0u8..5, prop_oneof![Just(None), any_u64().prop_map(Some)]);
    (kind, fees, target, lists, signature).prop_map(
        |((kind, chain_id), fees, (create, to, value, input), lists, (r, s, parity))| {
            let (nonce, tip, fee, gas_limit) = fees;
            let call = Address::from_slice(&to[12..]);
            let to = if create { TxKind::Create } else { TxKind::Call(call) };
            let (value, input) = (U256::from_be_bytes(value), Bytes::from(input));
            let (access_list, authorization_list) = lists;
            let signature = Signature::new(U256::from_be_bytes(r), U256::from_be_bytes(s), parity);
            let some_id = chain_id.unwrap_or(4242);
            match kind {
                0 => TxLegacy { chain_id, nonce, gas_price: fee, gas_limit, to, value, input }
                    .into_signed(signature)
                    .into(),
                1 => TxEip2930 {
                    chain_id: some_id,
                    nonce,
                    gas_price: fee,
                    gas_limit,
                    to,
                    value,
                    access_list,
                    input,
                }
                .into_signed(signature)
                .into(),
                2 => TxEip7702 {
                    chain_id: some_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fee,
                    max_priority_fee_per_gas: tip,
                    to: call,
                    value,
                    access_list,
                    authorization_list,
                    input,
                }
                .into_signed(signature)
                .into(),
                _ => TxEip1559 {
                    chain_id: some_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fee,
                    max_priority_fee_per_gas: tip,
                    to,
                    value,
                    access_list,
                    input,
                }
                .into_signed(signature)
                .into(),
            }
        },
    )
}

fn any_batch() -> impl Strategy<Value = Batch> {
    let hint = (0u8..3, any_u64()).prop_map(|(hash, log_index)| DepositHint {
        l1_block_hash: B256::repeat_byte(hash),
        log_index,
    });
    let block = (
        prop_oneof![98u64..102, any_u64()],
        any::<[u8; 4]>(),
        prop::collection::vec(any_transaction(), 0..4),
        prop::collection::vec(hint, 0..3),
    );
    let head = (any_u64(), prop_oneof![Just(1_800_000_000), any_u64()]);
    let head = head
        .prop_map(|(first_deposit, reference_time)| BatchHead { first_deposit, reference_time });
    (head, prop::collection::vec(block, 0..5)).prop_map(|(head, blocks)| {
        let mut batch = Batch { head, ..Batch::default() };
        for (step_ms, root, transactions, hints) in blocks {
            let state_root = (!transactions.is_empty()).then_some(root.into());
            let deposit_count = hints.len() as u64;
            batch.deposit_hints.extend(hints);
            batch.blocks.push(BatchBlock { step_ms, deposit_count, state_root, transactions });
        }
        batch
    })
}

proptest! {
    #[test]
    fn decode_inverts_encode(batch in any_batch()) {
        for effort in [Effort::Fast, Effort::Thorough] {
            let bytes = batch.encode(LIMITS, effort).expect("within the limits");
            prop_assert_eq!(&Batch::decode(&bytes, &LIMITS), &Ok(batch.clone()));
        }
    }

    #[test]
    fn damaged_batches_are_rejected_or_within_limits(
        batch in any_batch(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
    ) {
        let limits = BatchLimits { inflated_bytes_max: 20_000, ..LIMITS };
        let mut bytes = encode(&batch);
        for (place, flip) in damage {
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
        }
        if let Ok(decoded) = Batch::decode(&bytes, &limits) {
            let transactions = decoded.blocks.iter().flat_map(|block| &block.transactions);
            let size: usize = transactions.map(|tx| tx.encoded_2718().len()).sum();
            prop_assert!(size <= 20_000);
            // An encoder accepts every decoded batch.
            let again = decoded.encode(LIMITS, Effort::Fast).expect("encodes");
            prop_assert_eq!(Batch::decode(&again, &LIMITS), Ok(decoded));
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), memory in 0u8..12) {
        let _ = Batch::decode(&bytes, &LIMITS);
        let _ = Batch::decode(&[&[2, memory][..], &bytes].concat(), &LIMITS);
    }

    #[test]
    fn encoder_accepts_exactly_the_decodable_transactions(
        tx in any_transaction(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut bytes = tx.encoded_2718();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let mut encoder = BatchEncoder::new(LIMITS, Effort::Fast, HEAD).expect("opens");
        let pushed = encoder.push(1, StateRootPrefix::ZERO, &[], &[bytes.clone().into()]);
        match decode_transaction(&bytes) {
            Ok(tx) if tx.encoded_2718() == bytes => {
                prop_assert_eq!(pushed, Ok(()));
                let batch = Batch::decode(&encoder.finish(), &LIMITS).expect("an accepted transaction decodes");
                prop_assert_eq!(batch.blocks[0].transactions[0].encoded_2718(), bytes);
            }
            _ => prop_assert_eq!(pushed, Err(BatchError::Transaction(0))),
        }
    }

    #[test]
    fn bytes_max_bounds_the_size(batch in any_batch()) {
        let mut encoder = BatchEncoder::new(LIMITS, Effort::Fast, HEAD).expect("opens");
        for block in &batch.blocks {
            let raw: Vec<Bytes> =
                block.transactions.iter().map(|tx| tx.encoded_2718().into()).collect();
            encoder.push(block.step_ms, StateRootPrefix::ZERO, &[], &raw).expect("pushes");
        }
        let bytes_max = encoder.bytes_max();
        let length = encoder.finish().len();
        prop_assert!(length <= bytes_max && bytes_max <= length + 24, "{length} of {bytes_max}");
    }
}

#[test]
fn truncated_or_extended_batches_are_rejected() {
    let bytes = encode(&of_transactions((0..5).map(|i| call(vec![i; 36])).collect()));
    assert!(Batch::decode(&bytes, &LIMITS).is_ok());
    for length in 0..bytes.len() {
        assert!(Batch::decode(&bytes[..length], &LIMITS).is_err(), "{length} bytes");
    }
    for more in [0, 1, 0xff] {
        assert!(Batch::decode(&[&bytes[..], &[more]].concat(), &LIMITS).is_err());
    }
    assert_eq!(Batch::decode(&[], &LIMITS), Err(BatchError::Empty));
    assert_eq!(Batch::decode(&[9, 0], &LIMITS), Err(BatchError::Version(9)));
    assert_eq!(Batch::decode(&[2, 11, 0], &LIMITS), Err(BatchError::Malformed("no such memory")));
}

#[test]
fn decompression_bombs_are_rejected() {
    let wide = BatchLimits { inflated_bytes_max: 1 << 30, ..LIMITS };
    for input in [vec![0; 4 + (32 << 15)], vec![0; 1 << 16]] {
        let bomb = of_transactions(vec![call(input)]);
        let size = 64 + bomb.blocks[0].transactions[0].encode_2718_len();
        let bytes = bomb.encode(wide, Effort::Fast).expect("encodes");
        assert!(bytes.len() < 2_000, "{} bytes", bytes.len());
        let limits = BatchLimits { inflated_bytes_max: size, ..LIMITS };
        assert_eq!(Batch::decode(&bytes, &limits), Ok(bomb));
        let limits = BatchLimits { inflated_bytes_max: size - 1, ..LIMITS };
        assert_eq!(Batch::decode(&bytes, &limits), Err(BatchError::TooLarge(size - 1)));
    }
}

#[test]
fn writer_turns_to_raw_bytes_when_the_mixed_ones_are_spent() {
    let limits = |mixed_bytes_max| BatchLimits { mixed_bytes_max, ..LIMITS };
    // Calldata, then a word that is neither a number nor an address.
    let word = [&[1; 4][..], &[0xee; 32]].concat();
    let batch = of_transactions(vec![call(vec![5; 1_000]), call(word)]);
    let with = |mixed_bytes_max| {
        let bytes = batch.encode(limits(mixed_bytes_max), Effort::Fast).expect("encodes");
        for (limit, fits) in [(mixed_bytes_max, true), (mixed_bytes_max.wrapping_sub(1), false)] {
            let decoded = Batch::decode(&bytes, &limits(limit));
            let expected = if fits || limit > 2_000 {
                Ok(batch.clone())
            } else {
                Err(BatchError::TooMany("mixed bytes", if limit < 1_000 { 1_000 } else { 32 }))
            };
            assert_eq!(decoded, expected, "{mixed_bytes_max} at {limit}");
        }
        bytes.len()
    };
    let mixed = with(1_032);
    let raw = Batch::decode(&batch.encode(limits(0), Effort::Fast).expect("encodes"), &limits(0));
    assert_eq!(raw.as_ref(), Ok(&batch));
    let part = with(1_000);
    assert!(mixed < part, "{mixed} of {part} bytes");
}

#[test]
fn largest_random_transaction_fits_an_empty_batch() {
    let noise: Vec<u8> = (0u32..4_096).flat_map(|i| keccak256(i.to_be_bytes()).0).collect();
    // One byte decides whether the calldata has the shape of words.
    for length in [131_072, 131_076 - 32] {
        for create in [false, true] {
            let input = noise[..length].to_vec();
            let to = if create { TxKind::Create } else { TxKind::Call(Address::ZERO) };
            let tx = TxLegacy { to, input: input.into(), ..Default::default() };
            let batch = of_transactions(vec![tx.into_signed(Signature::test_signature()).into()]);
            let bytes = encode(&batch);
            assert!(bytes.len() < length + length / 64 + 2_000, "{} of {length}", bytes.len());
            assert_eq!(Batch::decode(&bytes, &LIMITS).as_ref(), Ok(&batch));
        }
    }
}

#[test]
fn counts_beyond_limits_are_rejected() {
    let wide = BatchLimits {
        blocks_max: usize::MAX,
        block_transactions_max: usize::MAX,
        deposits_max: usize::MAX,
        inflated_bytes_max: usize::MAX,
        mixed_bytes_max: usize::MAX,
    };
    let decode = |batch: &Batch, limits: &BatchLimits| {
        Batch::decode(&batch.encode(wide, Effort::Fast).expect("encodes"), limits)
    };
    let blocks = Batch { blocks: vec![BatchBlock::default(); 3], ..Batch::default() };
    let limits = BatchLimits { blocks_max: 2, ..LIMITS };
    assert_eq!(decode(&blocks, &limits), Err(BatchError::TooMany("blocks", 3)));
    assert_eq!(blocks.encode(limits, Effort::Fast), Err(BatchError::TooMany("blocks", 3)));
    let transactions = of_transactions(vec![call(Vec::new()); 3]);
    let limits = BatchLimits { block_transactions_max: 2, ..LIMITS };
    let error = BatchError::TooMany("transactions of a block", 3);
    assert_eq!(decode(&transactions, &limits), Err(error));
    let mut deposits = blocks;
    deposits.blocks[1].deposit_count = 2;
    deposits.deposit_hints = vec![DepositHint::default(); 2];
    let limits = BatchLimits { deposits_max: 1, ..LIMITS };
    assert_eq!(decode(&deposits, &limits), Err(BatchError::TooMany("deposits", 2)));
    assert_eq!(decode(&deposits, &LIMITS), Ok(deposits));
}

#[test]
fn runs_of_empty_blocks_take_few_bytes() {
    let block = BatchBlock { step_ms: 2_000, ..BatchBlock::default() };
    let batch = Batch { head: HEAD, blocks: vec![block; 1_000], ..Batch::default() };
    let bytes = encode(&batch);
    assert!(bytes.len() <= 32, "{} bytes", bytes.len());
    assert_eq!(Batch::decode(&bytes, &LIMITS), Ok(batch));
}

/// Limits of the golden vectors.
const VECTOR_LIMITS: BatchLimits = BatchLimits { mixed_bytes_max: 256, ..LIMITS };

/// A batch in the form of the golden vectors.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vector {
    name: String,
    encoded: Bytes,
    first_deposit: u64,
    reference_time: u64,
    blocks: Vec<VectorBlock>,
    deposit_hints: Vec<(B256, u64)>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VectorBlock {
    step_ms: u64,
    deposit_count: u64,
    state_root: Option<StateRootPrefix>,
    transactions: Vec<Bytes>,
}

impl Vector {
    fn new(name: &str, batch: &Batch) -> Self {
        let block = |block: &BatchBlock| VectorBlock {
            step_ms: block.step_ms,
            deposit_count: block.deposit_count,
            state_root: block.state_root,
            transactions: block.transactions.iter().map(|tx| tx.encoded_2718().into()).collect(),
        };
        let hints = batch.deposit_hints.iter().map(|hint| (hint.l1_block_hash, hint.log_index));
        Self {
            name: name.into(),
            encoded: batch.encode(VECTOR_LIMITS, Effort::Fast).expect("encodes").into(),
            first_deposit: batch.head.first_deposit,
            reference_time: batch.head.reference_time,
            blocks: batch.blocks.iter().map(block).collect(),
            deposit_hints: hints.collect(),
        }
    }

    /// One batch of each kind. They are always the same.
    fn all() -> Vec<Self> {
        let empty = |step_ms| BatchBlock { step_ms, ..BatchBlock::default() };
        let quiet = Batch {
            head: HEAD,
            blocks: [100, 100, 100, 0, 7_003].map(empty).into(),
            ..Batch::default()
        };
        let mut deposits = quiet.clone();
        deposits.head.first_deposit = 3;
        deposits.blocks[3].deposit_count = 2;
        deposits.deposit_hints = [5, 9]
            .map(|log_index| DepositHint { l1_block_hash: keccak256("block"), log_index })
            .into();
        let mut typed = of_transactions(every_type());
        typed.blocks.insert(0, empty(99));
        let swaps = of_transactions((0..20).map(swap).collect());
        let code = hex!("608060405234801561001057600080fd5b50610150806100206000396000f3fe");
        let odd = of_transactions(vec![
            call(vec![7]),
            call([&[1, 2, 3, 4][..], &code].concat()),
            TxLegacy { input: code.repeat(3).into(), to: TxKind::Create, ..Default::default() }
                .into_signed(Signature::new(U256::MAX, U256::MAX, true))
                .into(),
        ]);
        // The second field does not fit what the first one leaves of the mixed bytes.
        let raw = of_transactions(vec![call(vec![7; 250]), call(vec![8; 30]), call(vec![9])]);
        [
            ("quiet", quiet),
            ("deposits", deposits),
            ("types", typed),
            ("swaps", swaps),
            ("odd", odd),
            ("raw", raw),
        ]
        .map(|(name, batch)| Self::new(name, &batch))
        .into()
    }
}

fn swap(i: u64) -> TxEnvelope {
    let address = |i: u64| Address::from_word(keccak256(i.to_be_bytes())).into_word();
    let number = |i: u64| B256::from(U256::from(i));
    let words = [
        number((i % 5 + 1) * 10u64.pow(15)),
        B256::from(U256::from_be_bytes(keccak256([7; 8]).0) >> (176 + i)),
        number(0xa0),
        address(i % 7),
        number(1_800_000_000 + 20 * 60 + i / 8),
        number(2),
        address(100),
        address(101 + i % 2),
    ];
    let tx = TxEip1559 {
        chain_id: 4242,
        nonce: i / 3,
        gas_limit: 200_000 + i % 4 * 1_234,
        max_fee_per_gas: 2_000_000_000 + u128::from(i % 3),
        max_priority_fee_per_gas: u128::from(i % 3),
        to: TxKind::Call(Address::repeat_byte(0x77)),
        input: [&hex!("38ed1739")[..], &words.map(|word| word.0).concat()].concat().into(),
        ..Default::default()
    };
    let r = U256::from_be_bytes(address(1_000 + i).0) << 96;
    tx.into_signed(Signature::new(r, r >> 1, i % 2 == 1)).into()
}

fn every_type() -> Vec<TxEnvelope> {
    let signature = Signature::test_signature();
    let item = AccessListItem {
        address: Address::repeat_byte(1),
        storage_keys: vec![B256::ZERO, B256::repeat_byte(2)],
    };
    let access_list = AccessList(vec![item]);
    let (address, nonce) = (Address::repeat_byte(1), 3);
    let inner = Authorization { chain_id: U256::from(4242), address, nonce };
    let authorization = SignedAuthorization::new_unchecked(inner, 1, U256::from(5), U256::from(6));
    let legacy = TxLegacy { nonce: 1, gas_limit: 21_000, ..Default::default() };
    let protected = TxLegacy { chain_id: Some(4242), ..legacy.clone() };
    let listed = TxEip2930 { chain_id: 4242, access_list, ..Default::default() };
    let delegation = TxEip7702 {
        chain_id: 4242,
        to: address,
        value: U256::MAX,
        authorization_list: vec![authorization],
        ..Default::default()
    };
    vec![
        legacy.into_signed(signature).into(),
        protected.into_signed(signature).into(),
        listed.into_signed(signature).into(),
        delegation.into_signed(signature).into(),
        call(Vec::new()),
    ]
}

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/batch.json");

#[test]
fn encoding_matches_the_golden_vectors() {
    let json = std::fs::read_to_string(VECTORS).expect("vectors/batch.json");
    let vectors: Vec<Vector> = serde_json::from_str(&json).expect("vectors");
    for vector in &vectors {
        let batch = Batch::decode(&vector.encoded, &VECTOR_LIMITS).expect("decodes");
        assert_eq!(Vector::new(&vector.name, &batch), *vector);
    }
    assert_eq!(vectors, Vector::all());
}

/// Run it after a change of the format:
/// `cargo test -p turnpike-protocol --test batch -- --ignored`.
#[test]
#[ignore = "writes vectors/batch.json"]
fn write_vectors() {
    let json = serde_json::to_string_pretty(&Vector::all()).expect("serializes");
    std::fs::write(VECTORS, json + "\n").expect("writes");
}
