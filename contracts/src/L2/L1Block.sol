// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IL1Block } from "../interfaces/IL1Block.sol";

/// @title L1Block
/// @notice The L1 attributes; see IL1Block. Clients read the storage, so the order of the fields is fixed.
contract L1Block is IL1Block {
    /// @inheritdoc IL1Block
    address public constant DEPOSITOR_ACCOUNT = 0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001;

    uint256 private constant BASE_FEE_SCALAR_OFFSET = 4;
    uint256 private constant BLOB_BASE_FEE_SCALAR_OFFSET = 8;
    uint256 private constant SEQUENCE_NUMBER_OFFSET = 12;
    uint256 private constant TIMESTAMP_OFFSET = 20;
    uint256 private constant NUMBER_OFFSET = 28;
    uint256 private constant BASE_FEE_OFFSET = 36;
    uint256 private constant BLOB_BASE_FEE_OFFSET = 68;
    uint256 private constant HASH_OFFSET = 100;
    uint256 private constant BATCHER_HASH_OFFSET = 132;
    uint256 private constant END_OFFSET = 164;

    /// @inheritdoc IL1Block
    uint64 public number; // slot 0
    /// @inheritdoc IL1Block
    uint64 public timestamp;
    /// @inheritdoc IL1Block
    uint256 public basefee; // slot 1
    /// @inheritdoc IL1Block
    bytes32 public hash; // slot 2
    /// @inheritdoc IL1Block
    uint64 public sequenceNumber; // slot 3
    /// @inheritdoc IL1Block
    uint32 public blobBaseFeeScalar;
    /// @inheritdoc IL1Block
    uint32 public baseFeeScalar;
    /// @inheritdoc IL1Block
    bytes32 public batcherHash; // slot 4
    /// @dev Unused fee parameters from before Ecotone. They keep blobBaseFee in its slot.
    uint256 private _l1FeeOverhead; // slot 5
    uint256 private _l1FeeScalar; // slot 6
    /// @inheritdoc IL1Block
    uint256 public blobBaseFee; // slot 7

    /// @inheritdoc IL1Block
    function setL1BlockValuesEcotone() external {
        if (msg.sender != DEPOSITOR_ACCOUNT) revert L1Block_NotDepositor(msg.sender);
        baseFeeScalar = uint32(bytes4(msg.data[BASE_FEE_SCALAR_OFFSET:BLOB_BASE_FEE_SCALAR_OFFSET]));
        blobBaseFeeScalar = uint32(bytes4(msg.data[BLOB_BASE_FEE_SCALAR_OFFSET:SEQUENCE_NUMBER_OFFSET]));
        sequenceNumber = uint64(bytes8(msg.data[SEQUENCE_NUMBER_OFFSET:TIMESTAMP_OFFSET]));
        timestamp = uint64(bytes8(msg.data[TIMESTAMP_OFFSET:NUMBER_OFFSET]));
        number = uint64(bytes8(msg.data[NUMBER_OFFSET:BASE_FEE_OFFSET]));
        basefee = uint256(bytes32(msg.data[BASE_FEE_OFFSET:BLOB_BASE_FEE_OFFSET]));
        blobBaseFee = uint256(bytes32(msg.data[BLOB_BASE_FEE_OFFSET:HASH_OFFSET]));
        hash = bytes32(msg.data[HASH_OFFSET:BATCHER_HASH_OFFSET]);
        batcherHash = bytes32(msg.data[BATCHER_HASH_OFFSET:END_OFFSET]);
    }
}
