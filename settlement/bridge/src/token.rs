//! What tokens answer to; [`turnpike_l1`] has the interfaces of the contracts that we deploy.
#![allow(missing_docs, clippy::all, unreachable_pub)] // generated

alloy::sol! {
    /// An ERC-20 token; `remoteToken` has the tokens on L2 that stand for one on L1.
    #[sol(rpc)]
    #[derive(Debug)]
    interface Token {
        function balanceOf(address owner) external view returns (uint256);
        function allowance(address owner, address spender) external view returns (uint256);
        function approve(address spender, uint256 amount) external returns (bool);
        function remoteToken() external view returns (address);
    }
}
