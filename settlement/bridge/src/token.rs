//! The interface of tokens. [`turnpike_l1`] has the interfaces of deployed contracts.
#![allow(missing_docs, clippy::all, unreachable_pub)] // generated

alloy::sol! {
    /// An ERC-20 token. Tokens on L2 that represent an L1 token have `remoteToken`.
    #[sol(rpc)]
    #[derive(Debug)]
    interface Token {
        function balanceOf(address owner) external view returns (uint256);
        function allowance(address owner, address spender) external view returns (uint256);
        function approve(address spender, uint256 amount) external returns (bool);
        function remoteToken() external view returns (address);
    }
}
