//! Inputs of the precompiles that the preimage oracle loads.

use alloy_eips::eip4844::kzg_to_versioned_hash;
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use turnpike_executor::{is_oracle_precompile, precompile_outcome};
use turnpike_protocol::{Genesis, Preimage};
use turnpike_state::PrecompileOutcome;

/// A valid input from the test vectors of daimo-eth/p256-verifier.
const P256_VALID: [u8; 160] = hex!(
    "4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4d"
    "a73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac"
    "36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d60"
    "4aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff3"
    "7618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e"
);

/// The generators of bn254.
const BN254_PAIR: [u8; 192] = hex!(
    "0000000000000000000000000000000000000000000000000000000000000001"
    "0000000000000000000000000000000000000000000000000000000000000002"
    "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
);

/// Commits to the polynomial X. Its value at a point is the point itself, and the generator proves
/// every value.
const KZG_COMMITMENT: [u8; 48] = hex!(
    "ad3eb50121139aa34db1d545093ac9374ab7bca2c0f3bf28e27c8dcd8fc7cb42d25926fc0c97b336e9f0fb35e5a04c81"
);
const KZG_PROOF: [u8; 48] = hex!(
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
);

/// A call of a precompile.
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) address: Address,
    pub(crate) input: Vec<u8>,
}

impl Call {
    pub(crate) fn preimage(&self) -> Preimage {
        let (address, input) = (self.address, Bytes::copy_from_slice(&self.input));
        let output = match precompile_outcome(&address, &input).expect("an oracle precompile") {
            PrecompileOutcome::Output(output) => Some(output),
            PrecompileOutcome::Failure => None,
        };
        Preimage::Precompile { address, input, output }
    }

    pub(crate) fn succeeds(&self) -> bool {
        matches!(self.preimage(), Preimage::Precompile { output: Some(_), .. })
    }

    /// The same call with an invalid last element. `None` for precompiles that no input makes fail.
    pub(crate) fn failing(&self) -> Option<Self> {
        let Self { name, address, ref input } = *self;
        if [1, 5, 0x100].map(at).contains(&address) {
            return None;
        }
        let mut input = input.clone();
        let element = element_bytes(address);
        let place = input.len() - element;
        // Set a coordinate beyond the field or, in a point evaluation, a wrong hash.
        input[place..][..32].fill(0xff);
        let call = Self { name, address, input };
        assert!(!call.succeeds(), "{name}");
        Some(call)
    }
}

fn at(number: u64) -> Address {
    Address::from_word(U256::from(number).into())
}

fn element_bytes(address: Address) -> usize {
    let sizes =
        [(6, 128), (7, 96), (8, 192), (0xa, 192), (0xb, 256), (0xc, 160), (0xd, 512), (0xe, 288)];
    let sizes = sizes.into_iter().chain([(0xf, 384), (0x10, 64), (0x11, 128)]);
    sizes.into_iter().find(|size| at(size.0) == address).expect("the precompile can fail").1
}

fn output(number: u64, input: &[u8]) -> Vec<u8> {
    match precompile_outcome(&at(number), input) {
        Some(PrecompileOutcome::Output(output)) => output.to_vec(),
        other => panic!("{number:#x}: {other:?}"),
    }
}

/// This many elements, concatenated.
fn fill(element: &[u8], count: usize) -> Vec<u8> {
    element.repeat(count)
}

fn modexp(base: usize, exponent: &[u8], modulus: usize) -> Vec<u8> {
    let lengths = [base, exponent.len(), modulus].map(|len| B256::from(U256::from(len)));
    [lengths.concat(), vec![0xfe; base], exponent.to_vec(), vec![0xfb; modulus]].concat()
}

/// One valid call of each precompile, with this many elements if it takes several.
fn calls(bn254_pairs: usize, g1: usize, g2: usize, pairs: usize, exponent: &[u8]) -> Vec<Call> {
    let point1 = output(0x10, &[[0; 16].as_slice(), &[0x17; 48]].concat());
    let point2 = output(0x11, &[[0; 16].as_slice(), &[0x17; 48], &[0; 16], &[0x16; 48]].concat());
    let signature = [0x33, 0x11, 0x22].map(B256::repeat_byte);
    let ecrecover = [signature[0], B256::with_last_byte(28), signature[1], signature[2]].concat();
    let kzg_hash = kzg_to_versioned_hash(&KZG_COMMITMENT);
    let kzg_value = [0x55; 32];
    let kzg = [kzg_hash.as_slice(), &kzg_value, &kzg_value, &KZG_COMMITMENT, &KZG_PROOF].concat();
    let scalar = [0xfd; 32];
    let calls = [
        ("ecrecover", 1, ecrecover),
        ("modexp", 5, modexp(1024, exponent, 1024)),
        ("bn254 addition", 6, BN254_PAIR[..64].repeat(2)),
        ("bn254 multiplication", 7, [&BN254_PAIR[..64], &scalar].concat()),
        ("bn254 pairing", 8, fill(&BN254_PAIR, bn254_pairs)),
        ("KZG point evaluation", 0x0a, kzg),
        ("BLS12-381 G1 addition", 0x0b, point1.repeat(2)),
        ("BLS12-381 G1 MSM", 0x0c, fill(&[point1.as_slice(), &scalar].concat(), g1)),
        ("BLS12-381 G2 addition", 0x0d, point2.repeat(2)),
        ("BLS12-381 G2 MSM", 0x0e, fill(&[point2.as_slice(), &scalar].concat(), g2)),
        ("BLS12-381 pairing", 0x0f, fill(&[point1.as_slice(), &point2].concat(), pairs)),
        ("BLS12-381 map to G1", 0x10, [[0; 16].as_slice(), &[0x17; 48]].concat()),
        ("BLS12-381 map to G2", 0x11, [[0; 16].as_slice(), &[0x17; 48]].concat().repeat(2)),
        ("P-256 verification", 0x100, P256_VALID.to_vec()),
    ];
    let calls = calls.map(|(name, number, input)| Call { name, address: at(number), input });
    assert!(calls.iter().all(|call| is_oracle_precompile(&call.address) && call.succeeds()));
    calls.into()
}

/// A small valid call of each precompile.
pub(crate) fn small() -> Vec<Call> {
    calls(2, 2, 2, 2, &[3])
}

/// The most expensive valid call of each precompile that the development chain allows. With one
/// more element, it would cost more gas or take more input than a call may.
pub(crate) fn most_expensive() -> Vec<Call> {
    let config = Genesis::dev().config;
    assert_eq!((config.precompile_gas_max, config.precompile_input_bytes_max), (6_000_000, 98_304));
    // 184 bits: 183 squarings of 1,024 bytes, at 2 * 128^2 each.
    let exponent = [0xff; 23];
    calls(175, 614, 341, 182, &exponent)
}
