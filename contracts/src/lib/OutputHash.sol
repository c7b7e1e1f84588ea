// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { OutputRootProof } from "../interfaces/IRollup.sol";

/// @title OutputHash
/// @notice An output's root and its claim.
library OutputHash {
    /// @notice The output root of the OP stack, version 0.
    function root(OutputRootProof memory proof) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(proof.version, proof.stateRoot, proof.messagePasserStorageRoot, proof.latestBlockhash)
        );
    }

    /// @notice The claim that after `parentClaim`, the inbox entries up to `entry` result in `outputRoot`.
    function claim(bytes32 parentClaim, uint64 entry, bytes32 acc, bytes32 outputRoot)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(parentClaim, entry, acc, outputRoot));
    }
}
