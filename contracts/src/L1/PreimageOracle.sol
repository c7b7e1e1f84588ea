// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IPreimageOracle, LocalInputs } from "../interfaces/IPreimageOracle.sol";

/// @title PreimageOracle
/// @notice The preimages that the proof program reads; see IPreimageOracle.
contract PreimageOracle is IPreimageOracle {
    uint256 private constant WORD_BYTES = 32;
    uint256 private constant WORD_BITS = 256;
    uint256 private constant BYTE_BITS = 8;
    uint256 private constant ADDRESS_BYTES = 20;

    /// @dev First bytes of keys.
    uint256 private constant LOCAL = 1;
    uint256 private constant KECCAK = 2;
    uint256 private constant BLOB = 3;
    uint256 private constant PRECOMPILE = 4;
    uint256 private constant FIRST_BYTE_SHIFT = WORD_BITS - BYTE_BITS;

    /// @dev Local inputs, by the last byte of their keys.
    uint256 private constant CHAIN_CONFIG = 0;
    uint256 private constant OUTPUT_ROOT = 1;
    uint256 private constant INBOX_ACC = 2;
    uint256 private constant BLOCK_INDEX = 3;
    uint256 private constant DATA_MISSING = 4;

    /// @dev The oracle runs precompiles 1, 5 to 8, 0x0a to 0x11 and 0x100.
    address private constant ECRECOVER = address(0x01);
    address private constant MODEXP = address(0x05);
    address private constant BN254_PAIRING = address(0x08);
    address private constant POINT_EVALUATION = address(0x0a);
    address private constant BLS_MAP_FP2_TO_G2 = address(0x11);
    address private constant P256VERIFY = address(0x0100);

    /// @dev Constants of a blob (EIP-4844): the number of elements, the modulus of their field, and the
    ///      primitive root of unity whose powers are the evaluation points.
    uint256 private constant ELEMENTS = 4096;
    uint256 private constant ELEMENTS_LOG2 = 12;
    uint256 private constant BLOB_BYTES = ELEMENTS * WORD_BYTES;
    uint256 private constant BLS_MODULUS = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;
    uint256 private constant ROOT_OF_UNITY =
        0x564c0a11a0f704f4fc3e8acfe0f8245f0ad1347b378fbf96e206da11a5d36306;

    /// @dev versioned hash | z | y | commitment | proof
    uint256 private constant POINT_EVALUATION_BYTES = 192;
    uint256 private constant COMMITMENT_OFFSET = 96;
    uint256 private constant PROOF_OFFSET = 144;
    /// @dev The first byte of a compressed point at infinity; zeros follow. The point commits to the zero
    ///      polynomial, whose proofs are infinity, too.
    uint8 private constant INFINITY = 0xc0;
    bytes32 private constant HASH_OF_INFINITY =
        0x010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014;

    /// @dev Number of parts in a group. One slot holds the length and which parts are loaded:
    ///
    ///         | bits     | what                                  |
    ///         |----------|---------------------------------------|
    ///         | 0..64    | length of the preimage in bytes       |
    ///         | 64 + i   | whether part i of the group is loaded |
    ///
    /// So the first part of a key costs two new slots, and each of the next 191 parts costs one.
    uint256 private constant GROUP_PARTS = 192;
    uint256 private constant LEN_BITS = 64;

    mapping(bytes32 key => mapping(uint256 number => uint256 group)) private _groups;
    mapping(bytes32 key => mapping(uint256 offset => bytes32 word)) private _words;

    /// @dev Reverts if L1 lacks a precompile. A call to an empty address succeeds without gas and with empty
    ///      output, which the oracle would record as the precompile's output.
    constructor() {
        for (uint160 number; number <= uint160(P256VERIFY); ++number) {
            address precompile = address(number);
            if (!_isOfTheOracle(precompile)) continue;
            (bool isNothing,) = precompile.staticcall{ gas: 0 }("");
            if (isNothing) revert PreimageOracle_NoSuchPrecompile(precompile);
        }
    }

    /// @inheritdoc IPreimageOracle
    function loadKeccak(uint256 offset, bytes calldata preimage) external returns (bytes32 key) {
        bytes memory copy = preimage;
        key = _key(KECCAK, keccak256(copy));
        _load(key, offset, _wordAt(copy, offset), copy.length);
    }

    /// @inheritdoc IPreimageOracle
    function loadBlobElement(
        bytes32 versionedHash,
        uint256 index,
        bytes32 element,
        bytes calldata commitment,
        bytes calldata proof
    ) external returns (bytes32 key) {
        if (index >= ELEMENTS) revert PreimageOracle_NoSuchElement(index);
        // The precompile checks that the versioned hash belongs to the commitment and that the
        // element is below the modulus.
        (bool isProven,) = POINT_EVALUATION.staticcall(
            abi.encodePacked(versionedHash, _evaluationPoint(index), element, commitment, proof)
        );
        if (!isProven) revert PreimageOracle_BadBlobProof(versionedHash, index);
        key = _key(BLOB, versionedHash);
        _load(key, index * WORD_BYTES, element, BLOB_BYTES);
    }

    /// @inheritdoc IPreimageOracle
    function loadPrecompile(uint256 offset, address precompile, bytes calldata input)
        external
        returns (bytes32 key)
    {
        if (!_isOfTheOracle(precompile)) revert PreimageOracle_NotOfTheOracle(precompile);
        bytes memory packed = abi.encodePacked(precompile, input);
        key = _key(PRECOMPILE, keccak256(packed));

        // Half of the gas: a failing precompile uses all of it, and the check afterwards needs as much again.
        uint256 gasMax = gasleft() / 2;
        bytes memory result;
        if (_succeeds(precompile, packed, gasMax)) {
            result = abi.encodePacked(true, _returned());
        } else {
            _checkFailure(precompile, packed, gasMax);
            result = abi.encodePacked(false);
        }
        _load(key, offset, _wordAt(result, offset), result.length);
    }

    /// @inheritdoc IPreimageOracle
    function read(bytes32 key, uint256 offset, LocalInputs calldata local)
        external
        view
        returns (bytes32 word, uint64 len)
    {
        if (offset % WORD_BYTES != 0) revert PreimageOracle_Misaligned(offset);
        uint256 kind = uint256(key) >> FIRST_BYTE_SHIFT;
        if (kind == LOCAL) {
            word = _localInput(key, offset, local);
            return (offset == 0 ? word : bytes32(0), uint64(WORD_BYTES));
        }
        // All blobs have the same length, so a read beyond it needs no proof.
        if (kind == BLOB && offset >= BLOB_BYTES) return (bytes32(0), uint64(BLOB_BYTES));

        (uint256 number, uint256 bit) = _place(offset);
        uint256 group = _groups[key][number];
        if (group & bit == 0) revert PreimageOracle_NotLoaded(key, offset);
        // forge-lint: disable-next-line(unsafe-typecast)
        return (_words[key][offset], uint64(group));
    }

    function _load(bytes32 key, uint256 offset, bytes32 word, uint256 len) private {
        if (offset % WORD_BYTES != 0) revert PreimageOracle_Misaligned(offset);
        (uint256 number, uint256 bit) = _place(offset);
        uint256 group = _groups[key][number];
        if (group & bit != 0) return;
        // Calldata and return data are far shorter than 2^64 bytes.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint64 len64 = uint64(len);
        _groups[key][number] = group | bit | len64;
        _words[key][offset] = word;
        emit PartLoaded(key, offset, word, len64);
    }

    /// @dev Reverts unless it is certain that a call with at most `gasMax` did not fail for lack of gas.
    ///      Overwrites `packed`.
    function _checkFailure(address precompile, bytes memory packed, uint256 gasMax) private view {
        bool fails = precompile != ECRECOVER && precompile != MODEXP && precompile != P256VERIFY;
        if (precompile == POINT_EVALUATION) {
            fails = packed.length == ADDRESS_BYTES + POINT_EVALUATION_BYTES;
        }
        if (fails) {
            _neutralize(precompile, packed);
            fails = _succeeds(precompile, packed, gasMax);
        }
        if (!fails) revert PreimageOracle_FailureNotShown(precompile);
    }

    /// @dev Replaces a call's input by a valid one of the same length. For most precompiles zeros are valid:
    ///      points at infinity and field element 0. Point evaluation takes INFINITY and its hash.
    function _neutralize(address precompile, bytes memory packed) private pure {
        assembly ("memory-safe") {
            let input := add(add(packed, WORD_BYTES), ADDRESS_BYTES)
            // Reading beyond calldata returns zeros.
            calldatacopy(input, calldatasize(), sub(mload(packed), ADDRESS_BYTES))
        }
        if (precompile != POINT_EVALUATION) return;
        assembly ("memory-safe") {
            let input := add(add(packed, WORD_BYTES), ADDRESS_BYTES)
            mstore(input, HASH_OF_INFINITY)
            mstore8(add(input, COMMITMENT_OFFSET), INFINITY)
            mstore8(add(input, PROOF_OFFSET), INFINITY)
        }
    }

    /// @dev Calls the precompile with the input that follows the address in `packed`.
    function _succeeds(address precompile, bytes memory packed, uint256 gasMax)
        private
        view
        returns (bool succeeded)
    {
        assembly ("memory-safe") {
            let input := add(add(packed, WORD_BYTES), ADDRESS_BYTES)
            succeeded := staticcall(gasMax, precompile, input, sub(mload(packed), ADDRESS_BYTES), 0, 0)
        }
    }

    /// @dev The return data of the last call.
    function _returned() private pure returns (bytes memory output) {
        assembly ("memory-safe") {
            output := mload(0x40)
            mstore(output, returndatasize())
            let start := add(output, WORD_BYTES)
            returndatacopy(start, 0, returndatasize())
            mstore(0x40, and(add(add(start, returndatasize()), 31), not(31)))
        }
    }

    function _isOfTheOracle(address precompile) private pure returns (bool) {
        return precompile == ECRECOVER || precompile == P256VERIFY
            || (precompile >= MODEXP && precompile <= BN254_PAIRING)
            || (precompile >= POINT_EVALUATION && precompile <= BLS_MAP_FP2_TO_G2);
    }

    /// @dev The point at which a blob's polynomial has the value of element `index`: the root of unity to the
    ///      power of the bit-reversed index. Square-and-multiply reads the exponent from its highest bit,
    ///      which is the lowest bit of the index.
    function _evaluationPoint(uint256 index) private pure returns (uint256 point) {
        point = 1;
        for (uint256 bit = 0; bit < ELEMENTS_LOG2; ++bit) {
            point = mulmod(point, point, BLS_MODULUS);
            if ((index >> bit) & 1 != 0) point = mulmod(point, ROOT_OF_UNITY, BLS_MODULUS);
        }
    }

    function _localInput(bytes32 key, uint256 offset, LocalInputs calldata local)
        private
        pure
        returns (bytes32)
    {
        uint256 number = uint256(key) ^ (LOCAL << FIRST_BYTE_SHIFT);
        if (number == CHAIN_CONFIG) return local.chainConfig;
        if (number == OUTPUT_ROOT) return local.outputRoot;
        if (number == INBOX_ACC) return local.inboxAcc;
        if (number == BLOCK_INDEX) return bytes32(uint256(local.blockIndex));
        if (number == DATA_MISSING) return bytes32(uint256(local.dataMissing ? 1 : 0));
        revert PreimageOracle_NotLoaded(key, offset);
    }

    function _key(uint256 kind, bytes32 hash) private pure returns (bytes32) {
        uint256 rest = (uint256(hash) << BYTE_BITS) >> BYTE_BITS;
        return bytes32((kind << FIRST_BYTE_SHIFT) | rest);
    }

    /// @dev The 32 bytes at an offset, padded with zeros beyond the end of `data`.
    function _wordAt(bytes memory data, uint256 offset) private pure returns (bytes32 word) {
        if (offset >= data.length) return bytes32(0);
        assembly ("memory-safe") {
            word := mload(add(add(data, WORD_BYTES), offset))
        }
        uint256 rest = data.length - offset;
        if (rest < WORD_BYTES) word &= ~bytes32(type(uint256).max >> (rest * BYTE_BITS));
    }

    function _place(uint256 offset) private pure returns (uint256 number, uint256 bit) {
        uint256 part = offset / WORD_BYTES;
        return (part / GROUP_PARTS, 1 << (LEN_BITS + part % GROUP_PARTS));
    }
}
