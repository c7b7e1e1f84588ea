// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title HeaderReader
/// @notice Reads the state root and the number out of an RLP-encoded Ethereum block header.
/// @dev Everything up to the number has a fixed size once difficulty is zero, as in every header since the merge:
///
///      | offset | bytes | prefix   | field                                    |
///      |--------|-------|----------|------------------------------------------|
///      | 0      | 3     | f9 hi lo | list, length of what follows             |
///      | 3      | 33    | a0       | parentHash                               |
///      | 36     | 33    | a0       | ommersHash                               |
///      | 69     | 21    | 94       | beneficiary                              |
///      | 90     | 33    | a0       | stateRoot                                |
///      | 123    | 33    | a0       | transactionsRoot                         |
///      | 156    | 33    | a0       | receiptsRoot                             |
///      | 189    | 259   | b9 01 00 | logsBloom                                |
///      | 448    | 1     | 80       | difficulty, zero                         |
///      | 449    | 1…9   |          | number, canonical, at most 8 bytes       |
///
///      The library does not read the fields after the number. The caller checks the header's hash.
library HeaderReader {
    error HeaderReader_Truncated(uint256 length);
    error HeaderReader_WrongLength(uint256 expected, uint256 found);
    error HeaderReader_WrongPrefix(uint256 offset, uint8 expected, uint8 found);
    error HeaderReader_BadNumber();

    uint256 private constant LIST_OFFSET = 0;
    uint256 private constant PARENT_HASH_OFFSET = 3;
    uint256 private constant OMMERS_HASH_OFFSET = 36;
    uint256 private constant BENEFICIARY_OFFSET = 69;
    uint256 private constant STATE_ROOT_OFFSET = 90;
    uint256 private constant TRANSACTIONS_ROOT_OFFSET = 123;
    uint256 private constant RECEIPTS_ROOT_OFFSET = 156;
    uint256 private constant BLOOM_OFFSET = 189;
    uint256 private constant DIFFICULTY_OFFSET = 448;
    uint256 private constant NUMBER_OFFSET = 449;

    uint8 private constant LIST_PREFIX = 0xf9;
    uint8 private constant HASH_PREFIX = 0xa0;
    uint8 private constant ADDRESS_PREFIX = 0x94;
    uint8 private constant BLOOM_PREFIX = 0xb9;
    uint8 private constant EMPTY_STRING = 0x80;
    uint16 private constant BLOOM_BYTES = 256;
    uint256 private constant LIST_PREFIX_BYTES = 3;
    uint256 private constant HASH_BYTES = 32;
    uint256 private constant NUMBER_BYTES_MAX = 8;
    uint8 private constant BITS_PER_BYTE = 8;

    /// @notice State root and number of `header`. Reverts unless the header has exactly the shape above.
    function read(bytes calldata header) internal pure returns (bytes32 stateRoot, uint64 number) {
        if (header.length <= NUMBER_OFFSET) revert HeaderReader_Truncated(header.length);
        _expect(header, LIST_OFFSET, LIST_PREFIX);
        uint256 length = LIST_PREFIX_BYTES + _uint16(header, LIST_OFFSET + 1);
        if (length != header.length) revert HeaderReader_WrongLength(length, header.length);

        _expect(header, PARENT_HASH_OFFSET, HASH_PREFIX);
        _expect(header, OMMERS_HASH_OFFSET, HASH_PREFIX);
        _expect(header, BENEFICIARY_OFFSET, ADDRESS_PREFIX);
        _expect(header, STATE_ROOT_OFFSET, HASH_PREFIX);
        _expect(header, TRANSACTIONS_ROOT_OFFSET, HASH_PREFIX);
        _expect(header, RECEIPTS_ROOT_OFFSET, HASH_PREFIX);
        _expect(header, BLOOM_OFFSET, BLOOM_PREFIX);
        uint16 bloomBytes = _uint16(header, BLOOM_OFFSET + 1);
        if (bloomBytes != BLOOM_BYTES) revert HeaderReader_WrongLength(BLOOM_BYTES, bloomBytes);
        _expect(header, DIFFICULTY_OFFSET, EMPTY_STRING);

        stateRoot = bytes32(header[STATE_ROOT_OFFSET + 1:STATE_ROOT_OFFSET + 1 + HASH_BYTES]);
        number = _readNumber(header);
    }

    function _readNumber(bytes calldata header) private pure returns (uint64 number) {
        uint8 prefix = uint8(header[NUMBER_OFFSET]);
        if (prefix == 0) revert HeaderReader_BadNumber(); // zero is the empty string
        if (prefix < EMPTY_STRING) return prefix; // a byte below 0x80 is itself

        uint256 numberBytes = prefix - EMPTY_STRING;
        if (numberBytes > NUMBER_BYTES_MAX) revert HeaderReader_BadNumber();
        uint256 start = NUMBER_OFFSET + 1;
        if (start + numberBytes > header.length) revert HeaderReader_Truncated(header.length);
        for (uint256 i; i < numberBytes; ++i) {
            number = (number << BITS_PER_BYTE) | uint8(header[start + i]);
        }
        bool leadingZero = numberBytes != 0 && header[start] == 0;
        bool shouldBeItself = numberBytes == 1 && number < EMPTY_STRING;
        if (leadingZero || shouldBeItself) revert HeaderReader_BadNumber();
    }

    function _expect(bytes calldata header, uint256 offset, uint8 expected) private pure {
        uint8 found = uint8(header[offset]);
        if (found != expected) revert HeaderReader_WrongPrefix(offset, expected, found);
    }

    function _uint16(bytes calldata header, uint256 offset) private pure returns (uint16) {
        return uint16(bytes2(header[offset:offset + 2]));
    }
}
