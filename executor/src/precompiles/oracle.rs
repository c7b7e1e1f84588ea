//! Oracle precompiles: the proof program reads their results from the preimage oracle, and L1
//! computes the results with its own precompiles. This module decides the gas and every failure
//! that the input's length causes. So L1 receives only calls that it can answer, whatever its own
//! gas prices are.

use alloy_primitives::{Address, U256};
use revm::{
    precompile::{
        PrecompileHalt, Precompiles,
        bls12_381_const::{
            DISCOUNT_TABLE_G1_MSM, DISCOUNT_TABLE_G2_MSM, G1_ADD_ADDRESS, G1_ADD_BASE_GAS_FEE,
            G1_ADD_INPUT_LENGTH, G1_MSM_ADDRESS, G1_MSM_BASE_GAS_FEE, G1_MSM_INPUT_LENGTH,
            G2_ADD_ADDRESS, G2_ADD_BASE_GAS_FEE, G2_ADD_INPUT_LENGTH, G2_MSM_ADDRESS,
            G2_MSM_BASE_GAS_FEE, G2_MSM_INPUT_LENGTH, MAP_FP_TO_G1_ADDRESS,
            MAP_FP_TO_G1_BASE_GAS_FEE, MAP_FP2_TO_G2_ADDRESS, MAP_FP2_TO_G2_BASE_GAS_FEE,
            PADDED_FP_LENGTH, PADDED_FP2_LENGTH, PAIRING_ADDRESS, PAIRING_INPUT_LENGTH,
            PAIRING_MULTIPLIER_BASE, PAIRING_OFFSET_BASE,
        },
        bls12_381_utils::msm_required_gas,
        bn254::{self, ADD_INPUT_LEN, MUL_INPUT_LEN, PAIR_ELEMENT_LEN},
        kzg_point_evaluation,
        modexp::osaka_gas_calc,
        secp256r1::{P256VERIFY_ADDRESS, P256VERIFY_BASE_GAS_FEE_OSAKA},
        u64_to_address,
        utilities::right_pad_with_offset,
    },
    primitives::eip7823,
};
use turnpike_state::PrecompileOutcome;

/// Address of ecrecover.
pub(crate) const ECRECOVER: Address = u64_to_address(1);
const MODEXP: Address = u64_to_address(5);
const P256VERIFY: Address = u64_to_address(P256VERIFY_ADDRESS);

const ECRECOVER_GAS: u64 = 3_000;
const ECRECOVER_INPUT_BYTES: usize = 128;
/// Minimum gas of modexp (EIP-7883).
const MODEXP_GAS_MIN: u64 = 500;
const KZG_INPUT_BYTES: usize = 192;
const P256VERIFY_INPUT_BYTES: usize = 160;
const WORD_BYTES: usize = 32;
/// The three lengths at the start of modexp's input.
const MODEXP_HEADER_BYTES: usize = 3 * WORD_BYTES;

/// Whether the proof program reads the results of the precompile at `address`.
pub fn is_oracle_precompile(address: &Address) -> bool {
    [ECRECOVER, MODEXP, kzg_point_evaluation::ADDRESS, P256VERIFY].contains(address)
        || (bn254::add::ADDRESS..=bn254::pair::ADDRESS).contains(address)
        || (G1_ADD_ADDRESS..=MAP_FP2_TO_G2_ADDRESS).contains(address)
}

/// Computes the outcome of an [oracle precompile](is_oracle_precompile). `None` for any other
/// address.
pub fn precompile_outcome(address: &Address, input: &[u8]) -> Option<PrecompileOutcome> {
    let precompile = Precompiles::osaka().get(address).filter(|_| is_oracle_precompile(address))?;
    // Errors come only from a broken provider, and Ethereum's precompiles have none.
    let output = precompile.execute(input, u64::MAX, 0).ok()?;
    Some(match output.status.is_success() {
        true => PrecompileOutcome::Output(output.bytes),
        false => PrecompileOutcome::Failure,
    })
}

/// A call of an oracle precompile that does not run out of gas and whose input has a valid length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChargedCall<'a> {
    /// Gas cost on success.
    pub(super) gas: u64,
    /// The relevant part of the input. The call has paid for its length.
    pub(super) input: &'a [u8],
}

/// Charges for a call by Osaka's rules. `None` if the address is no oracle precompile.
pub(super) fn charge<'a>(
    address: &Address,
    input: &'a [u8],
    gas_limit: u64,
) -> Option<Result<ChargedCall<'a>, PrecompileHalt>> {
    let call = OracleCall { input, gas_limit };
    Some(match *address {
        ECRECOVER => call.reads(ECRECOVER_INPUT_BYTES, ECRECOVER_GAS),
        MODEXP => modexp(call),
        bn254::add::ADDRESS => call.reads(ADD_INPUT_LEN, bn254::add::ISTANBUL_ADD_GAS_COST),
        bn254::mul::ADDRESS => call.reads(MUL_INPUT_LEN, bn254::mul::ISTANBUL_MUL_GAS_COST),
        bn254::pair::ADDRESS => bn254_pairing(call),
        kzg_point_evaluation::ADDRESS => call.takes(
            KZG_INPUT_BYTES,
            kzg_point_evaluation::GAS_COST,
            PrecompileHalt::BlobInvalidInputLength,
        ),
        G1_ADD_ADDRESS => call.takes(
            G1_ADD_INPUT_LENGTH,
            G1_ADD_BASE_GAS_FEE,
            PrecompileHalt::Bls12381G1AddInputLength,
        ),
        G1_MSM_ADDRESS => call.takes_many(
            G1_MSM_INPUT_LENGTH,
            |k| msm_required_gas(k, &DISCOUNT_TABLE_G1_MSM, G1_MSM_BASE_GAS_FEE),
            PrecompileHalt::Bls12381G1MsmInputLength,
        ),
        G2_ADD_ADDRESS => call.takes(
            G2_ADD_INPUT_LENGTH,
            G2_ADD_BASE_GAS_FEE,
            PrecompileHalt::Bls12381G2AddInputLength,
        ),
        G2_MSM_ADDRESS => call.takes_many(
            G2_MSM_INPUT_LENGTH,
            |k| msm_required_gas(k, &DISCOUNT_TABLE_G2_MSM, G2_MSM_BASE_GAS_FEE),
            PrecompileHalt::Bls12381G2MsmInputLength,
        ),
        PAIRING_ADDRESS => call.takes_many(
            PAIRING_INPUT_LENGTH,
            |pairs| PAIRING_OFFSET_BASE + PAIRING_MULTIPLIER_BASE * pairs as u64,
            PrecompileHalt::Bls12381PairingInputLength,
        ),
        MAP_FP_TO_G1_ADDRESS => call.takes(
            PADDED_FP_LENGTH,
            MAP_FP_TO_G1_BASE_GAS_FEE,
            PrecompileHalt::Bls12381MapFpToG1InputLength,
        ),
        MAP_FP2_TO_G2_ADDRESS => call.takes(
            PADDED_FP2_LENGTH,
            MAP_FP2_TO_G2_BASE_GAS_FEE,
            PrecompileHalt::Bls12381MapFp2ToG2InputLength,
        ),
        P256VERIFY => p256verify(call),
        _ => return None,
    })
}

#[derive(Clone, Copy)]
struct OracleCall<'a> {
    input: &'a [u8],
    gas_limit: u64,
}

impl<'a> OracleCall<'a> {
    /// A precompile that reads this many bytes, pads them with zeros, and ignores the rest.
    fn reads(self, bytes: usize, gas: u64) -> Result<ChargedCall<'a>, PrecompileHalt> {
        if gas > self.gas_limit {
            return Err(PrecompileHalt::OutOfGas);
        }
        Ok(ChargedCall { gas, input: &self.input[..self.input.len().min(bytes)] })
    }

    /// A precompile that fails unless the input has exactly this many bytes.
    fn takes(
        self,
        bytes: usize,
        gas: u64,
        otherwise: PrecompileHalt,
    ) -> Result<ChargedCall<'a>, PrecompileHalt> {
        let charged = self.reads(bytes, gas)?;
        if self.input.len() == bytes { Ok(charged) } else { Err(otherwise) }
    }

    /// A precompile that takes one or more elements of this many bytes, and charges by their
    /// number.
    fn takes_many(
        self,
        bytes: usize,
        gas: impl FnOnce(usize) -> u64,
        otherwise: PrecompileHalt,
    ) -> Result<ChargedCall<'a>, PrecompileHalt> {
        let len = self.input.len();
        if len == 0 || !len.is_multiple_of(bytes) {
            return Err(otherwise);
        }
        self.reads(len, gas(len / bytes))
    }
}

fn bn254_pairing(call: OracleCall<'_>) -> Result<ChargedCall<'_>, PrecompileHalt> {
    let pairs = call.input.len() / PAIR_ELEMENT_LEN;
    let gas = bn254::pair::ISTANBUL_PAIR_BASE + bn254::pair::ISTANBUL_PAIR_PER_POINT * pairs as u64;
    call.takes(pairs * PAIR_ELEMENT_LEN, gas, PrecompileHalt::Bn254PairLength)
}

fn p256verify(call: OracleCall<'_>) -> Result<ChargedCall<'_>, PrecompileHalt> {
    // Any other length is an invalid signature, so the empty input stands for all of them.
    let is_long_enough = call.input.len() == P256VERIFY_INPUT_BYTES;
    let bytes = if is_long_enough { P256VERIFY_INPUT_BYTES } else { 0 };
    call.reads(bytes, P256VERIFY_BASE_GAS_FEE_OSAKA)
}

fn modexp(call: OracleCall<'_>) -> Result<ChargedCall<'_>, PrecompileHalt> {
    call.reads(0, MODEXP_GAS_MIN)?;
    let word_at = |at| -> U256 {
        U256::from_be_bytes(right_pad_with_offset::<WORD_BYTES>(call.input, at).into_owned())
    };
    let length = |number: usize| {
        let length = usize::try_from(word_at(number * WORD_BYTES)).ok();
        let length = length.filter(|length| *length <= eip7823::INPUT_SIZE_LIMIT);
        length.ok_or(PrecompileHalt::ModexpEip7823LimitSize)
    };
    let (base, exponent, modulus) = (length(0)?, length(1)?, length(2)?);
    let highest_bytes = exponent.min(WORD_BYTES);
    let highest = word_at(MODEXP_HEADER_BYTES + base) >> (8 * (WORD_BYTES - highest_bytes));
    let gas = osaka_gas_calc(base as u64, exponent as u64, modulus as u64, &highest);
    call.reads(MODEXP_HEADER_BYTES + base + exponent + modulus, gas)
}
