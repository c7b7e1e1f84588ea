// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { WithdrawalTransaction } from "../interfaces/IPortal.sol";
import { MerkleTrie } from "./MerkleTrie.sol";

/// @title WithdrawalLib
/// @notice The hash of a withdrawal, and the proof that L2 recorded it.
library WithdrawalLib {
    /// @dev Slot of L2ToL1MessagePasser.sentMessages.
    uint256 private constant SENT_MESSAGES_SLOT = 0;
    /// @dev Hash of the RLP encoding of `true`, which is the byte 1.
    bytes32 private constant SENT_RLP_HASH = keccak256(hex"01");

    /// @notice The hash under which L2ToL1MessagePasser records the message.
    function hash(WithdrawalTransaction calldata _tx) internal pure returns (bytes32) {
        return keccak256(abi.encode(_tx.nonce, _tx.sender, _tx.target, _tx.value, _tx.gasLimit, _tx.data));
    }

    /// @notice L2ToL1MessagePasser's storage slot for a message.
    function storageSlot(bytes32 withdrawalHash) internal pure returns (bytes32) {
        return keccak256(abi.encode(withdrawalHash, SENT_MESSAGES_SLOT));
    }

    /// @notice Whether the storage with this root records the message. Reverts unless the proof shows the
    ///         value of the message's slot.
    function isSent(bytes32 withdrawalHash, bytes32 storageRoot, bytes[] calldata proof)
        internal
        pure
        returns (bool)
    {
        bytes32 key = keccak256(abi.encode(storageSlot(withdrawalHash)));
        return keccak256(MerkleTrie.get(storageRoot, key, proof)) == SENT_RLP_HASH;
    }
}
