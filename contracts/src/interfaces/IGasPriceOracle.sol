// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IGasPriceOracle
/// @notice The cost of an L2 transaction, with the OP stack's names and its Fjord formula for the L1 data fee:
///
///             size = max(100e6, 836_500 * fastLzBytes - 42_585_600)         (millionths of a byte)
///             fee  = size * (16 * baseFeeScalar * l1BaseFee + blobBaseFeeScalar * blobBaseFee) / 1e12
///
///         where fastLzBytes is the length of the signed transaction compressed with FastLZ.
interface IGasPriceOracle {
    /// @notice The L1 data fee in wei of an unsigned, serialized transaction. It includes 68 bytes for the
    ///         signature.
    function getL1Fee(bytes memory _data) external view returns (uint256);

    /// @notice An upper bound of the L1 data fee in wei of any unsigned transaction of this many bytes.
    function getL1FeeUpperBound(uint256 _unsignedTxSize) external view returns (uint256);

    /// @notice The L1 calldata gas that an unsigned, serialized transaction would cost after compression.
    function getL1GasUsed(bytes memory _data) external view returns (uint256);

    /// @notice Gas price in wei, which is the base fee.
    function gasPrice() external view returns (uint256);

    /// @notice L2 base fee in wei.
    function baseFee() external view returns (uint256);

    /// @notice L1 base fee in wei, as of the current origin.
    function l1BaseFee() external view returns (uint256);

    /// @notice L1 blob base fee in wei, as of the current origin.
    function blobBaseFee() external view returns (uint256);

    /// @notice Scalar of the base fee, in millionths.
    function baseFeeScalar() external view returns (uint32);

    /// @notice Scalar of the blob base fee, in millionths.
    function blobBaseFeeScalar() external view returns (uint32);

    /// @notice Decimals of the scalars.
    function decimals() external view returns (uint256);

    /// @notice Whether the Ecotone rules apply.
    function isEcotone() external view returns (bool);

    /// @notice Whether the Fjord rules apply.
    function isFjord() external view returns (bool);
}
