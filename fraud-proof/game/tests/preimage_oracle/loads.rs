use alloy::sol_types::SolError as _;
use alloy_eips::eip4844::{c_kzg, kzg_to_versioned_hash};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use revm::primitives::hardfork::SpecId;
use turnpike_game::{NotABlob, load_call};
use turnpike_l1::PreimageOracle::PreimageOracle_NoSuchPrecompile;
use turnpike_protocol::{
    BLOB_BYTES, LocalInput, LocalInputs, Oracle as _, OracleWord, Preimage, Preimages, keccak_key,
    pack_blobs,
};

use crate::{
    evm::{AS_IT_IS, L1, recorded},
    inputs::{self, Call},
};

/// Loads a part on L1, and compares the words that L1 and the program then read.
fn check(l1: &mut L1, preimages: &mut Preimages, preimage: &Preimage, offset: u64) {
    let key = preimage.key();
    let expected = preimages.read(&key, offset).expect("the preimage was added");
    let local = preimages.local;
    assert_eq!(l1.read(key, offset, &local), None, "the part is not loaded yet");
    let call = load_call(preimage, offset).expect("valid preimage").expect("loading needs a call");
    let result = l1.call(&call);
    assert!(result.is_success(), "{result:?}");
    assert_eq!(result.into_output(), Some(Bytes::from(key.0)));
    assert_eq!(l1.read(key, offset, &local), Some(expected), "{key} at {offset}");
}

fn added(preimage: Preimage) -> (Preimages, Preimage) {
    let mut preimages = Preimages::default();
    preimages.add(preimage.clone());
    (preimages, preimage)
}

#[test]
fn keccak_preimages() {
    let mut l1 = L1::new(AS_IT_IS);
    for len in [0_u16, 1, 31, 32, 33, 384, 6_144, 6_200] {
        let bytes: Vec<u8> = (0..len).map(|i| keccak256(i.to_be_bytes())[0]).collect();
        let (mut preimages, preimage) = added(Preimage::Keccak { bytes: bytes.into() });
        let end = u64::from(len).next_multiple_of(32);
        let far = u64::MAX - 31;
        for offset in [0, end / 64 * 32, end - end.min(32), end + 32, end + 6_144, far] {
            if l1.read(preimage.key(), offset, &LocalInputs::default()).is_none() {
                check(&mut l1, &mut preimages, &preimage, offset);
            }
        }
    }
}

#[test]
fn precompile_results() {
    let mut l1 = L1::new(AS_IT_IS);
    let valid = inputs::small();
    let failing: Vec<Call> = valid.iter().filter_map(Call::failing).collect();
    assert_eq!((valid.len(), failing.len()), (14, 11));
    for call in valid.iter().chain(&failing) {
        let (mut preimages, preimage) = added(call.preimage());
        for offset in (0..320).step_by(32) {
            check(&mut l1, &mut preimages, &preimage, offset);
        }
    }
}

#[test]
fn blob_elements() {
    let mut l1 = L1::new(AS_IT_IS);
    let noise: Vec<u8> = (0..4_000_u16).flat_map(|i| keccak256(i.to_be_bytes()).0).collect();
    let bytes: Bytes = pack_blobs(&noise).expect("data fits the blobs").into();
    assert_eq!(bytes.len(), BLOB_BYTES);
    let blob = c_kzg::Blob::from_bytes(&bytes).expect("valid blob");
    let commitment =
        c_kzg::ethereum_kzg_settings(0).blob_to_kzg_commitment(&blob).expect("valid blob");
    let versioned_hash = kzg_to_versioned_hash(commitment.to_bytes().as_slice());
    let (mut preimages, preimage) = added(Preimage::Blob { versioned_hash, bytes });
    for index in [0, 1, 2, 3, 100, 2_047, 2_048, 4_094, 4_095] {
        check(&mut l1, &mut preimages, &preimage, 32 * index);
    }
    let beyond = BLOB_BYTES as u64;
    assert_eq!(load_call(&preimage, beyond), Ok(None));
    let expected = preimages.read(&preimage.key(), beyond);
    assert_eq!(l1.read(preimage.key(), beyond, &LocalInputs::default()), expected);
    let short = Preimage::Blob { versioned_hash, bytes: Bytes::from_static(&[0; 5]) };
    assert_eq!(load_call(&short, 0), Err(NotABlob { versioned_hash }));
}

#[test]
fn local_inputs() {
    let mut l1 = L1::new(AS_IT_IS);
    let local = LocalInputs {
        chain_config: B256::repeat_byte(1),
        output_root: B256::repeat_byte(2),
        inbox_acc: B256::repeat_byte(3),
        block_index: u64::MAX - 4,
        data_missing: true,
    };
    let mut preimages = Preimages::new(local);
    let inputs = [
        LocalInput::ChainConfig,
        LocalInput::OutputRoot,
        LocalInput::InboxAcc,
        LocalInput::BlockIndex,
        LocalInput::DataMissing,
    ];
    for input in inputs {
        for offset in [0, 32, u64::MAX - 31] {
            let expected = preimages.read(&input.key(), offset);
            assert!(expected.is_some());
            assert_eq!(l1.read(input.key(), offset, &local), expected);
        }
    }
    assert_eq!(l1.read(LocalInput::BlockIndex.key(), 8, &local), None);
}

/// Anyone may load any preimage, repeatedly. Loaded words never change.
#[test]
fn loaded_words_never_change() {
    let mut l1 = L1::new(AS_IT_IS);
    let bytes = Bytes::from_static(&[7; 40]);
    let (mut preimages, preimage) = added(Preimage::Keccak { bytes: bytes.clone() });
    check(&mut l1, &mut preimages, &preimage, 32);
    let local = LocalInputs::default();
    let before = l1.read(preimage.key(), 32, &local);
    // A longer preimage of another hash, the same preimage again, and another part.
    for (bytes, offset) in [(&[7; 41][..], 32), (&bytes[..], 32), (&bytes[..], 0)] {
        let other = Preimage::Keccak { bytes: Bytes::copy_from_slice(bytes) };
        let call =
            load_call(&other, offset).expect("valid preimage").expect("loading needs a call");
        let result = l1.call(&call);
        let is_new = !(bytes.len() == 40 && offset == 32);
        assert_eq!(recorded(&result).is_some(), is_new);
        assert_eq!(l1.read(preimage.key(), 32, &local), before);
    }
    let mut word = B256::ZERO;
    word[..8].fill(7);
    assert_eq!(before, Some(OracleWord { word, len: 40 }));
    assert_eq!(l1.read(keccak_key(U256::ZERO.into()), 0, &local), None);
}

/// If a precompile is missing, calls of it succeed with empty output, which is wrong.
#[test]
fn deployment_fails_without_precompiles() {
    for (fork, missing) in [(SpecId::PRAGUE, 0x100), (SpecId::CANCUN, 0xb), (SpecId::LONDON, 0xa)] {
        let reason = L1::with_precompiles_of(fork, AS_IT_IS).err().expect("the deployment fails");
        let precompile = Address::from_word(U256::from(missing).into());
        assert_eq!(reason, PreimageOracle_NoSuchPrecompile { precompile }.abi_encode());
    }
}
