// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IL2ToL1MessagePasser
/// @notice Where withdrawals leave L2: a record of messages to L1, with the OP stack's names and meaning. Output
///         roots commit to this contract's storage, so L1 can be shown that a message is recorded.
interface IL2ToL1MessagePasser {
    /// @notice A message to L1 was recorded.
    /// @param withdrawalHash keccak256(abi.encode(nonce, sender, target, value, gasLimit, data)).
    event MessagePassed(
        uint256 indexed nonce,
        address indexed sender,
        address indexed target,
        uint256 value,
        uint256 gasLimit,
        bytes data,
        bytes32 withdrawalHash
    );

    /// @notice Ether that left L2 was burned.
    event WithdrawerBalanceBurnt(uint256 indexed amount);

    /// @notice Withdraws the ether to the caller's own address on L1, with RECEIVE_DEFAULT_GAS_LIMIT.
    receive() external payable;

    /// @notice Records a message that L1 can execute once an output with it is final.
    /// @param _target L1 recipient.
    /// @param _gasLimit L1 gas that the call gets at least.
    /// @param _data L1 calldata.
    function initiateWithdrawal(address _target, uint256 _gasLimit, bytes calldata _data) external payable;

    /// @notice Burns the ether withdrawn so far, which L1 holds now. Anyone may call it.
    function burn() external;

    /// @notice Whether the message with this hash was recorded; in storage slot 0.
    function sentMessages(bytes32 withdrawalHash) external view returns (bool);

    /// @notice Nonce of the next message; the version is in the upper 16 bits.
    function messageNonce() external view returns (uint256);

    /// @notice Version of the message format.
    function MESSAGE_VERSION() external view returns (uint16);

    /// @notice L1 gas of a withdrawal made by sending ether.
    function RECEIVE_DEFAULT_GAS_LIMIT() external view returns (uint256);
}
