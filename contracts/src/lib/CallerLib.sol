// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title CallerLib
/// @notice Distinguishes accounts with a key from contracts.
library CallerLib {
    /// @dev Code of an EIP-7702 account: 0xef0100 and the address it delegates to.
    uint256 internal constant DELEGATION_BYTES = 23;
    bytes3 internal constant DELEGATION_PREFIX = 0xef0100;

    /// @notice Whether the caller has a private key: it signed this transaction, or its code is an EIP-7702
    ///         delegation (no contract can be deployed with that code, see EIP-3541).
    function isEoa() internal view returns (bool) {
        // The question is who signed the transaction, so comparing with tx.origin is right.
        if (msg.sender == tx.origin) return true;
        bytes memory code = msg.sender.code.length == DELEGATION_BYTES ? msg.sender.code : bytes("");
        return bytes3(code) == DELEGATION_PREFIX;
    }

    /// @notice Whether this call is the outermost one of a transaction whose sender has no code. Then the
    ///         call's data is the transaction's data.
    function isPlainTopLevelCall() internal view returns (bool) {
        return msg.sender == tx.origin && msg.sender.code.length == 0;
    }
}
