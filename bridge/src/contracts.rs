//! What users call, by the OP stack's names: [`turnpike_l1`] has the rest of the contracts' interfaces.
#![allow(missing_docs, clippy::all, unreachable_pub)] // generated

alloy::sol! {
    #[derive(Debug)]
    struct WithdrawalTransaction {
        uint256 nonce;
        address sender;
        address target;
        uint256 value;
        uint256 gasLimit;
        bytes data;
    }

    #[derive(Debug)]
    struct OutputRootProof {
        bytes32 version;
        bytes32 stateRoot;
        bytes32 messagePasserStorageRoot;
        bytes32 latestBlockhash;
    }

    /// The withdrawals' side of the portal.
    #[sol(rpc)]
    #[derive(Debug)]
    interface WithdrawalPortal {
        function proveWithdrawalTransaction(
            WithdrawalTransaction _tx,
            uint256 _l2OutputIndex,
            OutputRootProof _outputRootProof,
            bytes[] _withdrawalProof
        ) external;
        function finalizeWithdrawalTransaction(WithdrawalTransaction _tx) external;
        function provenWithdrawals(bytes32 withdrawalHash)
            external
            view
            returns (bytes32 outputRoot, uint128 timestamp, uint128 l2OutputIndex);
        function finalizedWithdrawals(bytes32 withdrawalHash) external view returns (bool);
        function paused() external view returns (bool);
    }

    /// The `L1StandardBridge`.
    #[derive(Debug)]
    interface TokenDeposits {
        function depositERC20To(
            address _l1Token,
            address _l2Token,
            address _to,
            uint256 _amount,
            uint32 _minGasLimit,
            bytes _extraData
        ) external;
    }

    /// The `L2StandardBridge`.
    #[derive(Debug)]
    interface TokenWithdrawals {
        function withdrawTo(
            address _l2Token,
            address _to,
            uint256 _amount,
            uint32 _minGasLimit,
            bytes _extraData
        ) external payable;
    }

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
