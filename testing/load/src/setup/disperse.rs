//! A contract that pays many accounts in one transaction.

use alloy_primitives::{Address, U256, hex};

use super::SetupStep;

/// Accounts paid by one transaction. A new account costs 37,000 gas, and a transaction may use
/// 2^24.
const ACCOUNTS_MAX: usize = 200;

/// Gas for a transaction, and for each account in it.
const GAS: u64 = 100_000;
const GAS_EACH: u64 = 45_000;

/// Calldata: the token, or 0 for ether, and the amount for each account, as words; then the
/// accounts, 20 bytes each. The call reverts if one payment fails.
///
/// | code | |
/// |---|---|
/// | `60558060095f395ff3` | creation: returns the rest |
/// | `602035602452 63a9059cbb60e01b5f52` | memory: `transfer(…, amount)` |
/// | `6040 5b80361115604f57` | for i = 64; i < calldata size |
/// | `803560601c 5f3580603357` | an account, the token; jump if there is one |
/// | `505f5f5f5f602035855af1604356` | call the account with the amount |
/// | `5b816004525f5f60445f5f855af19050` | `transfer` its address into memory, call the token |
/// | `5b15605157 50601401601256` | revert if that failed; i += 20 |
/// | `5b00 5b5f5ffd` | stop; revert |
pub(super) const CREATION_CODE: [u8; 94] = hex!(
    "60558060095f395ff3" "602035602452" "63a9059cbb60e01b5f52" "6040" "5b80361115604f57" "803560601c" "5f3580603357"
    "505f5f5f5f602035855af1604356" "5b816004525f5f60445f5f855af19050" "5b1560515750601401601256" "5b00" "5b5f5ffd"
);

/// The deployed contract.
#[derive(Debug)]
pub(super) struct Disperser {
    pub(super) address: Address,
}

impl Disperser {
    pub(super) const fn new(address: Address) -> Self {
        Self { address }
    }

    /// Pays ether that the call carries.
    pub(super) fn ether(&self, accounts: &[Address], each: U256) -> Vec<SetupStep> {
        let value = |accounts: &[Address]| each * U256::from(accounts.len());
        self.steps(Address::ZERO, accounts, each, value)
    }

    /// Pays units that the contract holds.
    pub(super) fn token(&self, token: Address, accounts: &[Address], each: U256) -> Vec<SetupStep> {
        self.steps(token, accounts, each, |_| U256::ZERO)
    }

    fn steps(
        &self,
        token: Address,
        accounts: &[Address],
        each: U256,
        value: impl Fn(&[Address]) -> U256,
    ) -> Vec<SetupStep> {
        let step = |accounts: &[Address]| {
            let mut data = token.into_word().to_vec();
            data.extend(each.to_be_bytes::<32>());
            data.extend(accounts.iter().flatten());
            let gas_limit = GAS + GAS_EACH * accounts.len() as u64;
            SetupStep { value: value(accounts), ..SetupStep::call(self.address, data, gas_limit) }
        };
        accounts.chunks(ACCOUNTS_MAX).map(step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_paid_once() {
        let disperser = Disperser::new(Address::with_last_byte(1));
        let accounts: Vec<_> =
            (0..450_u64).map(|n| Address::from_word(U256::from(n).into())).collect();
        let steps = disperser.ether(&accounts, U256::from(3));
        let paid: Vec<_> = steps.iter().flat_map(|step| step.data[64..].chunks(20)).collect();
        assert_eq!(paid, accounts.iter().map(|account| account.as_slice()).collect::<Vec<_>>());
        let values: U256 = steps.iter().map(|step| step.value).sum();
        assert_eq!((steps.len(), values), (3, U256::from(3 * 450)));
        assert!(disperser.token(disperser.address, &accounts, U256::ONE)[0].value.is_zero());
    }
}
