//! Golden vectors shared with the contracts' tests. viem computed them, independently of both
//! implementations.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use serde_json::Value;
use turnpike_protocol::{
    BLOB_BYTES, BatchContent, DataKind, Deposit, Entry, Genesis, Header, L1Fee, LocalInputs,
    Oracle as _, OracleWord, Origin, OutputRoot, Preimage, Preimages, SourceHash, TxEnvelope,
    Withdrawal, blobs_hash, calldata_hash, output_claim,
};

fn read(name: &str) -> Value {
    let path = format!("{}/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("vectors are shipped");
    serde_json::from_str(&text).expect("vectors are JSON")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let list = value[name].as_array().unwrap_or_else(|| panic!("no list {name}"));
    assert!(!list.is_empty(), "{name} is empty");
    list
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}"))
}

fn number(value: &Value, name: &str) -> u64 {
    text(value, name).parse().expect("a number")
}

fn wide(value: &Value, name: &str) -> U256 {
    U256::from_str_radix(text(value, name), 10).expect("a number")
}

fn hash(value: &Value, name: &str) -> B256 {
    text(value, name).parse().expect("a hash")
}

fn bytes(value: &Value, name: &str) -> Bytes {
    text(value, name).parse().expect("bytes")
}

#[test]
fn inbox_accumulators() {
    let vectors = read("inbox");
    let mut previous = hash(&vectors, "chainConfigHash");
    let mut content = previous;
    for vector in list(&vectors, "entries") {
        let data_kind =
            DataKind::from_u8(number(vector, "dataKind").try_into().expect("fits 8 bits"))
                .expect("a known kind");
        let entry = Entry {
            index: number(vector, "index"),
            data_kind,
            data_hash: hash(vector, "dataHash"),
            deposit_acc: hash(vector, "depositAcc"),
            deposit_count: number(vector, "depositCount"),
            l1_block_number: number(vector, "l1BlockNumber"),
            l1_time: number(vector, "l1Time"),
            l1_base_fee: wide(vector, "l1BaseFee"),
            l1_blob_base_fee: wide(vector, "l1BlobBaseFee"),
            l1_parent_hash: hash(vector, "l1ParentHash"),
            origin: number(vector, "origin"),
            origin_acc: hash(vector, "originAcc"),
            offchain_time: number(vector, "offchainTime"),
        };
        assert_eq!(hash(vector, "prevAcc"), previous);
        assert_eq!(entry.preimage(previous), bytes(vector, "preimage"));
        if let item @ Value::Object(_) = &vector["item"] {
            let content_of = BatchContent {
                data_kind,
                data_hash: entry.data_hash,
                deposit_count: number(item, "depositCount"),
                deposit_acc: hash(item, "depositAcc"),
                origin: number(item, "origin"),
                origin_acc: hash(item, "originAcc"),
            };
            content = content_of.extend(content);
        }
        assert_eq!(content, hash(vector, "content"), "entry {}", entry.index);
        previous = entry.accumulate(previous);
        assert_eq!(previous, hash(vector, "acc"), "entry {}", entry.index);
        if data_kind == DataKind::Calldata && vector["data"].is_string() {
            assert_eq!(calldata_hash(&bytes(vector, "data")), entry.data_hash);
        }
        if data_kind == DataKind::Blobs {
            let hashes: Vec<B256> = list(vector, "blobHashes")
                .iter()
                .map(|hash| hash.as_str().expect("a string").parse().expect("a hash"))
                .collect();
            assert_eq!(blobs_hash(&hashes), entry.data_hash);
        }
    }
}

#[test]
fn calldata_hashes() {
    for vector in list(&read("inbox"), "dataHashes") {
        let length = number(vector, "length");
        let data: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        assert_eq!(calldata_hash(&data), hash(vector, "dataHash"), "{length} bytes");
    }
}

#[test]
fn deposit_accumulators_and_fields() {
    let mut previous = B256::ZERO;
    for vector in list(&read("deposits"), "deposits") {
        let deposit = Deposit {
            index: number(vector, "index"),
            l1_block_number: number(vector, "l1BlockNumber"),
            from: text(vector, "from").parse().expect("valid address"),
            to: text(vector, "to").parse().expect("valid address"),
            version: wide(vector, "version"),
            opaque_data: bytes(vector, "opaqueData"),
        };
        previous = deposit.accumulate(previous);
        assert_eq!(previous, hash(vector, "acc"), "deposit {}", deposit.index);
        let tx = deposit.to_transaction(SourceHash::Queue { index: deposit.index });
        let TxEnvelope::Deposit(tx) = tx.expect("valid") else { panic!("not a deposit") };
        assert_eq!(tx.mint, wide(vector, "mint").saturating_to::<u128>());
        assert_eq!(tx.value, wide(vector, "value"));
        assert_eq!(tx.gas_limit, number(vector, "gasLimit"));
        assert_eq!(tx.to.is_create(), vector["isCreation"] == true);
        assert_eq!(tx.input, bytes(vector, "data"));
    }
}

#[test]
fn headers_outputs_and_claims() {
    let vectors = read("output");
    let headers: Vec<B256> = list(&vectors, "headers")
        .iter()
        .map(|vector| {
            let header = header(vector);
            assert_eq!(alloy_rlp::encode(&header), bytes(vector, "rlp"));
            assert_eq!(header.hash_slow(), hash(vector, "hash"));
            header.hash_slow()
        })
        .collect();
    for vector in list(&vectors, "outputs") {
        let proof = &vector["proof"];
        let block_hash = hash(proof, "latestBlockhash");
        if let Some(index) = vector["headerIndex"].as_str() {
            assert_eq!(block_hash, headers[index.parse::<usize>().expect("an index")]);
        }
        let output = OutputRoot {
            state_root: hash(proof, "stateRoot"),
            message_passer_storage_root: hash(proof, "messagePasserStorageRoot"),
            block_hash,
        };
        assert_eq!(output.hash(), hash(vector, "outputRoot"));
        let claim = output_claim(
            hash(vector, "parentClaim"),
            number(vector, "entry"),
            hash(vector, "acc"),
            output.hash(),
        );
        assert_eq!(claim, hash(vector, "claim"));
    }
}

#[test]
fn withdrawals() {
    for vector in list(&read("withdrawals"), "messages") {
        let withdrawal = Withdrawal {
            nonce: wide(vector, "nonce"),
            sender: text(vector, "sender").parse().expect("valid address"),
            target: text(vector, "target").parse().expect("valid address"),
            value: wide(vector, "value"),
            gas_limit: wide(vector, "gasLimit"),
            data: bytes(vector, "data"),
        };
        assert_eq!(withdrawal.hash(), hash(vector, "hash"));
        assert_eq!(withdrawal.slot(), hash(vector, "slot"));
    }
}

fn header(vector: &Value) -> Header {
    let address: Address = text(vector, "beneficiary").parse().expect("valid address");
    Header {
        parent_hash: hash(vector, "parentHash"),
        ommers_hash: hash(vector, "ommersHash"),
        beneficiary: address,
        state_root: hash(vector, "stateRoot"),
        transactions_root: hash(vector, "transactionsRoot"),
        receipts_root: hash(vector, "receiptsRoot"),
        logs_bloom: text(vector, "logsBloom").parse().expect("a bloom"),
        difficulty: wide(vector, "difficulty"),
        number: number(vector, "number"),
        gas_limit: number(vector, "gasLimit"),
        gas_used: number(vector, "gasUsed"),
        timestamp: number(vector, "timestamp"),
        extra_data: bytes(vector, "extraData"),
        mix_hash: hash(vector, "mixHash"),
        nonce: text(vector, "nonce").parse().expect("a nonce"),
        base_fee_per_gas: Some(number(vector, "baseFeePerGas")),
        withdrawals_root: Some(hash(vector, "withdrawalsRoot")),
        blob_gas_used: Some(number(vector, "blobGasUsed")),
        excess_blob_gas: Some(number(vector, "excessBlobGas")),
        parent_beacon_block_root: Some(hash(vector, "parentBeaconBlockRoot")),
        requests_hash: Some(hash(vector, "requestsHash")),
        ..Header::default()
    }
}

#[test]
fn l1_fees() {
    let vectors = read("l1fee");
    for case in list(&vectors, "cases") {
        let data = bytes(case, "data");
        let signed = &case["signed"];
        assert_eq!(L1Fee::gas_of(&data), number(signed, "l1GasUsed"), "{}", case["name"]);
        for (setting, fee) in list(&vectors, "settings").iter().zip(list(signed, "fees")) {
            let mut config = Genesis::dev().config;
            config.l1_base_fee_scalar = text(setting, "baseFeeScalar").parse().expect("a scalar");
            config.l1_blob_base_fee_scalar =
                text(setting, "blobBaseFeeScalar").parse().expect("a scalar");
            let origin = Origin {
                entry: 0,
                l1_block_number: 0,
                l1_time: 0,
                l1_base_fee: wide(setting, "l1BaseFee"),
                l1_blob_base_fee: wide(setting, "blobBaseFee"),
                l1_hash: keccak256("origin"),
            };
            let expected = U256::from_str_radix(fee.as_str().expect("a fee"), 10).expect("a fee");
            assert_eq!(L1Fee::new(&config, &origin).of(&data), expected, "{}", case["name"]);
        }
    }
}

#[test]
fn oracle_words() {
    let vectors = read("oracle");
    let local = &vectors["local"];
    let mut preimages = Preimages::new(LocalInputs {
        chain_config: hash(local, "chainConfig"),
        output_root: hash(local, "outputRoot"),
        inbox_acc: hash(local, "inboxAcc"),
        block_index: number(local, "blockIndex"),
        data_missing: number(local, "dataMissing") == 1,
    });
    for vector in list(&vectors, "locals") {
        let expected = OracleWord { word: hash(vector, "word"), len: 32 };
        assert_eq!(preimages.read(&hash(vector, "key"), 0), Some(expected));
    }
    for vector in list(&vectors, "keccak") {
        preimages.add(Preimage::Keccak { bytes: bytes(vector, "preimage") });
    }
    for vector in list(&vectors, "calls") {
        let result = &list(vector, "parts")[0];
        let output = match vector["succeeds"].as_bool().expect("`succeeds` is a bool") {
            true => {
                let len = usize::try_from(number(vector, "length")).expect("length fits usize");
                let word_of = |part| hash(part, "word");
                let words: Vec<_> = list(vector, "parts").iter().map(word_of).collect();
                Some(Bytes::copy_from_slice(&words.concat()[1..len]))
            }
            false => None,
        };
        assert_eq!(hash(result, "word")[0], u8::from(output.is_some()));
        let address = text(vector, "address").parse().expect("valid address");
        preimages.add(Preimage::Precompile { address, input: bytes(vector, "input"), output });
    }
    for vector in list(&vectors, "keccak").iter().chain(list(&vectors, "calls")) {
        for part in list(vector, "parts") {
            let expected = OracleWord { word: hash(part, "word"), len: number(vector, "length") };
            let word = preimages.read(&hash(vector, "key"), number(part, "offset"));
            assert_eq!(word, Some(expected));
        }
    }
    let blob = &vectors["blob"];
    let versioned_hash = hash(blob, "versionedHash");
    let bytes = vec![0; BLOB_BYTES].into();
    assert_eq!(Preimage::Blob { versioned_hash, bytes }.key(), hash(blob, "key"));
}
