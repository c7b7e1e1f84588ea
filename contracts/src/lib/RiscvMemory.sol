// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { LibBit } from "solady/utils/LibBit.sol";

/// @title RiscvMemory
/// @notice The Merkle tree of the proof machine's memory, which IRiscvStep describes, and the numbers in its
///         leaves.
library RiscvMemory {
    /// @dev Bytes of memory.
    uint256 internal constant BYTES = 2 ** 32;
    uint256 internal constant LEAF_BYTES = 32;
    /// @dev Bytes of a leaf and its 27 siblings from the bottom up.
    uint256 internal constant PATH_BYTES = 896;

    /// @notice The root of a tree whose leaf at `location` is `leaf`. `path` has PATH_BYTES bytes: a leaf,
    ///         which this function ignores, and the siblings.
    function root(bytes32 leaf, uint64 location, bytes calldata path) internal pure returns (bytes32 node) {
        assembly ("memory-safe") {
            node := leaf
            let sibling := add(path.offset, LEAF_BYTES)
            // If the lowest bit is set, the node is a right child, and its sibling is hashed first.
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

    /// @dev Shift and mask, in bits, of the number in the byte-reversed leaf.
    function _place(uint64 location, uint256 size) private pure returns (uint256 shift, uint64 mask) {
        shift = (location % LEAF_BYTES) * 8;
        mask = type(uint64).max >> (64 - 8 * size);
    }
}
