// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Item } from "../interfaces/IInbox.sol";

/// @title AppendCalldata
/// @notice The one layout of a call to IInbox.append that the standard ABI encoder writes for n items without
///         signatures. `padded` is a data's length rounded up to words.
///
///      | offset                | bytes        | field                                               |
///      |-----------------------|--------------|-----------------------------------------------------|
///      | 0                     | 4            | selector                                            |
///      | 4                     | 32           | expectedContent                                     |
///      | 36                    | 64           | offsets of items and signatures                     |
///      | 100                   | 32           | n                                                   |
///      | 132                   | 32 * n       | offsets of the items                                |
///      | then for each item:   | 160          | kind, depositCount, depositAcc, origin, originAcc   |
///      |                       | 64           | offset and length of the data                       |
///      |                       | padded       | data, and padding that may hold anything            |
///      | last                  | 32           | number of signatures, zero                          |
library AppendCalldata {
    uint256 private constant WORD_BYTES = 32;
    /// @dev Offset of the items' offsets.
    uint256 private constant ITEMS_OFFSET = 4 + 4 * WORD_BYTES;
    /// @dev Bytes of an item before its data.
    uint256 private constant ITEM_HEAD_BYTES = 7 * WORD_BYTES;

    /// @notice Whether the call's data has this layout, to its last byte.
    /// @dev The compiler's own checks keep the fields' bounds. Here each field must also be where the fields before
    ///      it end.
    function isCanonical(Item[] calldata items, bytes[] calldata signatures) internal pure returns (bool) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := items.offset
        }
        if (offset != ITEMS_OFFSET) return false;

        uint256 expected = ITEMS_OFFSET + items.length * WORD_BYTES;
        for (uint256 i; i < items.length; ++i) {
            Item calldata item = items[i];
            bytes calldata data = item.data;
            uint256 dataOffset;
            assembly ("memory-safe") {
                offset := item
                dataOffset := data.offset
            }
            if (offset != expected || dataOffset != expected + ITEM_HEAD_BYTES) return false;
            expected = dataOffset + (data.length + WORD_BYTES - 1) / WORD_BYTES * WORD_BYTES;
        }

        assembly ("memory-safe") {
            offset := signatures.offset
        }
        return offset == expected + WORD_BYTES && signatures.length == 0 && msg.data.length == offset;
    }
}
