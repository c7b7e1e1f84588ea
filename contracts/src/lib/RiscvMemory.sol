// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { LibBit } from "solady/utils/LibBit.sol";

/// @title RiscvMemory
/// @notice The proof machine's memory as a Merkle tree, whose shape is IRiscvStep's, and numbers in its leaves.
library RiscvMemory {
    /// @dev Bytes of memory.
    uint256 internal constant BYTES = 2 ** 32;
    uint256 internal constant LEAF_BYTES = 32;
    /// @dev Bytes of a leaf and its 27 siblings from the bottom up.
    uint256 internal constant PATH_BYTES = 896;

    /// @notice The root over the leaf that holds `location` if that is `leaf`, with the siblings out of `path`, of
    ///         PATH_BYTES.
    function root(bytes32 leaf, uint64 location, bytes calldata path) internal pure returns (bytes32 node) {
        assembly ("memory-safe") {
            node := leaf
            let sibling := add(path.offset, LEAF_BYTES)
            // The lowest bit says whether the node is a right child: then its sibling comes first.
            for { let index := div(location, LEAF_BYTES) } lt(sibling, add(path.offset, PATH_BYTES)) {
                index := shr(1, index)
                sibling := add(sibling, 32)
            } {
                let side := shl(5, and(index, 1))
                mstore(side, node)
                mstore(xor(side, 32), calldataload(sibling))
                node := keccak256(0, 64)
            }
        }
    }

    /// @notice The number at `location` in the leaf that holds it: `size` bytes, little-endian.
    function load(bytes32 leaf, uint64 location, uint256 size) internal pure returns (uint64) {
        (uint256 shift, uint64 mask) = _place(location, size);
        return uint64(LibBit.reverseBytes(uint256(leaf)) >> shift) & mask;
    }

    /// @notice The leaf with the low `size` bytes of `value` at `location`.
    function store(bytes32 leaf, uint64 location, uint256 size, uint64 value)
        internal
        pure
        returns (bytes32)
    {
        (uint256 shift, uint64 mask) = _place(location, size);
        uint256 others = LibBit.reverseBytes(uint256(leaf)) & ~(uint256(mask) << shift);
        return bytes32(LibBit.reverseBytes(others | uint256(value & mask) << shift));
    }

    /// @dev Where the number is in a leaf with its bytes reversed, in bits from the lowest.
    function _place(uint64 location, uint256 size) private pure returns (uint256 shift, uint64 mask) {
        shift = (location % LEAF_BYTES) * 8;
        mask = type(uint64).max >> (64 - 8 * size);
    }
}
