//! Transfers of ether and tokens: what must hold before they are sent, and their calls.

use alloy_primitives::{Address, Bytes, U256};
use turnpike_l1::{Call, L1Error, L1StandardBridge, L2StandardBridge, L2ToL1MessagePasser};
use turnpike_protocol::predeploys::{L2_STANDARD_BRIDGE, MESSAGE_PASSER};

use crate::{BridgeError, Layer, Node, Settlement, token::Token};

/// Gas limits of the call on the other layer, for ether and for tokens.
const ETHER_GAS: u32 = 100_000;
const TOKEN_GAS: u32 = 200_000;

/// Tokens to send from L1 to L2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenDeposit {
    /// The token on L1.
    pub l1_token: Address,
    /// The token on L2 that represents it.
    pub l2_token: Address,
    /// Recipient on L2.
    pub to: Address,
    /// Amount, in the token's smallest unit.
    pub amount: U256,
    /// L2 gas of the call; `None` for the usual limit.
    pub gas_limit: Option<u32>,
    /// Data that the bridge passes on.
    pub data: Bytes,
}

impl TokenDeposit {
    /// Checks that the L2 token represents the L1 token, without which the tokens would be locked
    /// on L1, and that `owner` has enough of them.
    pub async fn check(
        &self,
        l1: &Settlement,
        l2: &Node,
        owner: Address,
    ) -> Result<(), BridgeError> {
        let Self { l1_token, l2_token, .. } = *self;
        let found = remote_token(l2, l2_token).await?;
        if found != l1_token {
            return Err(BridgeError::TokenPair { l1_token, l2_token, found });
        }
        let found = self.token(l1).balanceOf(owner).call().await.map_err(L1Error::from)?;
        check_tokens(Layer::L1, owner, found, self.amount)
    }

    /// The call with which `owner` lets the bridge take the tokens; `None` if it already may.
    pub async fn approval(
        &self,
        l1: &Settlement,
        owner: Address,
    ) -> Result<Option<Call>, BridgeError> {
        let bridge = l1.client().deployment().bridge;
        let allowed = self.token(l1).allowance(owner, bridge).call().await;
        let approve = Token::approveCall { spender: bridge, amount: self.amount };
        let is_allowed = allowed.map_err(L1Error::from)? >= self.amount;
        Ok((!is_allowed).then(|| Call::of(self.l1_token, &approve)))
    }

    /// The call of the bridge on L1.
    pub fn call(&self, l1: &Settlement) -> Call {
        let call = L1StandardBridge::depositERC20ToCall {
            _l1Token: self.l1_token,
            _l2Token: self.l2_token,
            _to: self.to,
            _amount: self.amount,
            _minGasLimit: self.gas_limit.unwrap_or(TOKEN_GAS),
            _extraData: self.data.clone(),
        };
        Call::of(l1.client().deployment().bridge, &call)
    }

    fn token<'a>(
        &self,
        l1: &'a Settlement,
    ) -> Token::TokenInstance<&'a alloy::providers::DynProvider> {
        Token::new(self.l1_token, l1.client().provider())
    }
}

/// Ether, with a call, or tokens to send from L2 to L1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawalRequest {
    /// The token on L2; `None` for ether.
    pub token: Option<Address>,
    /// Recipient on L1.
    pub to: Address,
    /// Amount, in wei or in the token's smallest unit.
    pub amount: U256,
    /// L1 gas of the call, at least; `None` for the usual limit.
    pub gas_limit: Option<u32>,
    /// Data of the call.
    pub data: Bytes,
}

impl WithdrawalRequest {
    /// Ether without a call's data.
    pub const fn ether(to: Address, amount: U256) -> Self {
        Self { token: None, to, amount, gas_limit: None, data: Bytes::new() }
    }

    /// Checks that `owner` has enough ether besides the cost of gas, or enough of a token that
    /// represents one on L1.
    pub async fn check(&self, l2: &Node, owner: Address) -> Result<(), BridgeError> {
        let Some(token) = self.token else { return l2.check_balance(owner, self.amount).await };
        remote_token(l2, token).await?;
        let found = Token::new(token, l2.provider()).balanceOf(owner).call().await;
        let found = found.map_err(|_| BridgeError::NotABridgedToken(token))?;
        check_tokens(Layer::L2, owner, found, self.amount)
    }

    /// The call on L2.
    pub fn call(self) -> Call {
        let Self { token, to, amount, gas_limit, data } = self;
        match token {
            Some(token) => {
                let call = L2StandardBridge::withdrawToCall {
                    _l2Token: token,
                    _to: to,
                    _amount: amount,
                    _minGasLimit: gas_limit.unwrap_or(TOKEN_GAS),
                    _extraData: data,
                };
                Call::of(L2_STANDARD_BRIDGE, &call)
            }
            None => {
                let call = L2ToL1MessagePasser::initiateWithdrawalCall {
                    _target: to,
                    _gasLimit: U256::from(gas_limit.unwrap_or(ETHER_GAS)),
                    _data: data,
                };
                Call::of(MESSAGE_PASSER, &call).with_value(amount)
            }
        }
    }
}

/// The token on L1 that a token on L2 represents.
async fn remote_token(l2: &Node, token: Address) -> Result<Address, BridgeError> {
    let remote = Token::new(token, l2.provider()).remoteToken().call().await;
    remote.map_err(|_| BridgeError::NotABridgedToken(token))
}

fn check_tokens(
    layer: Layer,
    account: Address,
    found: U256,
    needed: U256,
) -> Result<(), BridgeError> {
    if found >= needed {
        return Ok(());
    }
    let unit = "of the token's smallest unit";
    Err(BridgeError::BalanceTooSmall { account, layer, unit, found, needed })
}

#[cfg(test)]
mod tests {
    use alloy::sol_types::SolCall as _;

    use super::*;

    #[test]
    fn ether_goes_to_the_message_passer_and_tokens_to_the_bridge() {
        let to = Address::repeat_byte(1);
        let ether = WithdrawalRequest::ether(to, U256::from(7));
        let tokens = WithdrawalRequest { token: Some(Address::repeat_byte(2)), ..ether.clone() };
        let (ether, tokens) = (ether.call(), tokens.call());
        assert_eq!((ether.to, ether.value), (MESSAGE_PASSER, U256::from(7)));
        let call = L2ToL1MessagePasser::initiateWithdrawalCall::abi_decode(&ether.input);
        assert_eq!(call.expect("decodes")._gasLimit, U256::from(ETHER_GAS));
        assert_eq!((tokens.to, tokens.value), (L2_STANDARD_BRIDGE, U256::ZERO));
        let call = L2StandardBridge::withdrawToCall::abi_decode(&tokens.input).expect("decodes");
        assert_eq!((call._amount, call._minGasLimit), (U256::from(7), TOKEN_GAS));
    }
}
