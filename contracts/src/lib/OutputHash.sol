// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { OutputRootProof } from "../interfaces/IRollup.sol";

/// @title OutputHash
/// @notice The two hashes of an output.
library OutputHash {
    /// @notice The output root of the OP stack, version 0.
    function root(OutputRootProof memory proof) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(proof.version, proof.stateRoot, proof.messagePasserStorageRoot, proof.latestBlockhash)
        );
    }

    /// @notice The claim that from `parentClaim` on, inbox entries up to `entry` lead to `outputRoot`.
    function claim(bytes32 parentClaim, uint64 entry, bytes32 acc, bytes32 outputRoot)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(parentClaim, entry, acc, outputRoot));
    }
}
