// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IL1Block
/// @notice The L1 attributes of the current block's origin. Names, selectors and storage slots are those of
///         the OP stack since Ecotone.
interface IL1Block {
    /// @notice The caller is not the depositor account.
    error L1Block_NotDepositor(address caller);

    /// @notice Writes all attributes. Only the depositor account, in an attributes transaction.
    /// @dev The arguments are packed behind the selector:
    ///
    ///      | offset | bytes | value                                  |
    ///      |--------|-------|----------------------------------------|
    ///      | 4      | 4     | uint32 baseFeeScalar                   |
    ///      | 8      | 4     | uint32 blobBaseFeeScalar               |
    ///      | 12     | 8     | uint64 sequenceNumber                  |
    ///      | 20     | 8     | uint64 timestamp, seconds              |
    ///      | 28     | 8     | uint64 number                          |
    ///      | 36     | 32    | uint256 basefee, wei                   |
    ///      | 68     | 32    | uint256 blobBaseFee, wei               |
    ///      | 100    | 32    | bytes32 hash                           |
    ///      | 132    | 32    | bytes32 batcherHash                    |
    function setL1BlockValuesEcotone() external;

    /// @notice The sender of attributes transactions. It has no key.
    function DEPOSITOR_ACCOUNT() external view returns (address);

    /// @notice L1 block number.
    function number() external view returns (uint64);

    /// @notice L1 block time in seconds.
    function timestamp() external view returns (uint64);

    /// @notice L1 base fee in wei.
    function basefee() external view returns (uint256);

    /// @notice L1 block hash.
    function hash() external view returns (bytes32);

    /// @notice Position of the L2 block among the blocks of its origin.
    function sequenceNumber() external view returns (uint64);

    /// @notice Scalar of the blob base fee in the L1 data fee, in millionths.
    function blobBaseFeeScalar() external view returns (uint32);

    /// @notice Scalar of the base fee in the L1 data fee, in millionths.
    function baseFeeScalar() external view returns (uint32);

    /// @notice The batcher's address, left-padded.
    function batcherHash() external view returns (bytes32);

    /// @notice L1 blob base fee in wei.
    function blobBaseFee() external view returns (uint256);
}
