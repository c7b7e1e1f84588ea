// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IL2ToL1MessagePasser
/// @notice Records messages to L1, with the OP stack's names and meaning. Output roots commit to this
///         contract's storage, so a storage proof shows L1 that a message is recorded.
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

    /// @notice Withdrawn ether was burned.
    event WithdrawerBalanceBurnt(uint256 indexed amount);

    /// @notice Withdraws the ether to the caller's own address on L1, with RECEIVE_DEFAULT_GAS_LIMIT.
    receive() external payable;

    /// @notice Records a message that L1 can execute once an output with it is final.
    /// @param _target L1 recipient.
    /// @param _gasLimit Least L1 gas for the call.
    /// @param _data L1 calldata.
    function initiateWithdrawal(address _target, uint256 _gasLimit, bytes calldata _data) external payable;

    /// @notice Burns the ether that was withdrawn so far. The portal on L1 holds it. Anyone may call this.
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
