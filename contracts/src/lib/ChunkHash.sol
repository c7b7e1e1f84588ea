// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title ChunkHash
/// @notice Commits to bytes as a list of chunk hashes, so that every preimage has at most CHUNK_BYTES_MAX
///         bytes and can be loaded on L1.
library ChunkHash {
    /// @dev 96 KiB.
    uint256 internal constant CHUNK_BYTES_MAX = 98_304;

    uint256 private constant WORD_BYTES = 32;

    /// @notice keccak256(keccak256(chunk_0) ++ keccak256(chunk_1) ++ …); every chunk but the last holds
    ///         CHUNK_BYTES_MAX bytes, and empty data has no chunk.
    function hash(bytes calldata data) internal pure returns (bytes32 result) {
        uint256 chunkCount = (data.length + CHUNK_BYTES_MAX - 1) / CHUNK_BYTES_MAX;
        bytes memory hashes = new bytes(chunkCount * WORD_BYTES);
        for (uint256 i; i < chunkCount; ++i) {
            uint256 start = i * CHUNK_BYTES_MAX;
            uint256 bytesLeft = data.length - start;
            uint256 chunkBytes = bytesLeft < CHUNK_BYTES_MAX ? bytesLeft : CHUNK_BYTES_MAX;
            // Hash every chunk in the same scratch memory above the free memory pointer.
            assembly ("memory-safe") {
                let scratch := mload(0x40)
                calldatacopy(scratch, add(data.offset, start), chunkBytes)
                mstore(add(add(hashes, WORD_BYTES), mul(i, WORD_BYTES)), keccak256(scratch, chunkBytes))
            }
        }
        result = keccak256(hashes);
    }
}
