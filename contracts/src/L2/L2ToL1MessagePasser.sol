// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IL2ToL1MessagePasser } from "../interfaces/IL2ToL1MessagePasser.sol";
import { EtherBurner } from "../lib/EtherBurner.sol";

/// @title L2ToL1MessagePasser
/// @notice Records messages to L1; see IL2ToL1MessagePasser.
contract L2ToL1MessagePasser is IL2ToL1MessagePasser {
    /// @inheritdoc IL2ToL1MessagePasser
    uint16 public constant MESSAGE_VERSION = 1;
    /// @inheritdoc IL2ToL1MessagePasser
    uint256 public constant RECEIVE_DEFAULT_GAS_LIMIT = 100_000;

    /// @dev A message nonce:
    ///
    ///      | bits    | value   |
    ///      |---------|---------|
    ///      | 240…255 | version |
    ///      | 0…239   | counter |
    uint256 private constant VERSION_SHIFT = 240;

    /// @inheritdoc IL2ToL1MessagePasser
    mapping(bytes32 withdrawalHash => bool sent) public sentMessages; // slot 0
    uint240 private _messageCount; // slot 1

    /// @inheritdoc IL2ToL1MessagePasser
    receive() external payable {
        _send(msg.sender, RECEIVE_DEFAULT_GAS_LIMIT, "");
    }

    /// @inheritdoc IL2ToL1MessagePasser
    function initiateWithdrawal(address _target, uint256 _gasLimit, bytes calldata _data) external payable {
        _send(_target, _gasLimit, _data);
    }

    /// @inheritdoc IL2ToL1MessagePasser
    function burn() external {
        uint256 amount = address(this).balance;
        emit WithdrawerBalanceBurnt(amount);
        new EtherBurner{ value: amount }();
    }

    /// @inheritdoc IL2ToL1MessagePasser
    function messageNonce() public view returns (uint256) {
        return uint256(MESSAGE_VERSION) << VERSION_SHIFT | _messageCount;
    }

    function _send(address target, uint256 gasLimit, bytes memory data) private {
        uint256 nonce = messageNonce();
        bytes32 withdrawalHash = keccak256(abi.encode(nonce, msg.sender, target, msg.value, gasLimit, data));
        sentMessages[withdrawalHash] = true;
        ++_messageCount;
        emit MessagePassed(nonce, msg.sender, target, msg.value, gasLimit, data, withdrawalHash);
    }
}
