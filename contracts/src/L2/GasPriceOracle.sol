// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { LibZip } from "solady/utils/LibZip.sol";
import { IGasPriceOracle } from "../interfaces/IGasPriceOracle.sol";
import { IL1Block } from "../interfaces/IL1Block.sol";
import { Predeploys } from "../lib/Predeploys.sol";

/// @title GasPriceOracle
/// @notice The L1 data fee and the gas prices; see IGasPriceOracle.
contract GasPriceOracle is IGasPriceOracle {
    /// @inheritdoc IGasPriceOracle
    uint256 public constant decimals = 6;
    /// @inheritdoc IGasPriceOracle
    bool public constant isEcotone = true;
    /// @inheritdoc IGasPriceOracle
    bool public constant isFjord = true;

    uint256 private constant SIZE_UNIT = 1e6;
    uint256 private constant SIZE_MIN = 100 * SIZE_UNIT;
    uint256 private constant SIZE_PER_FASTLZ_BYTE = 836_500;
    uint256 private constant SIZE_DISCOUNT = 42_585_600;
    uint256 private constant FEE_DIVISOR = 1e12;

    /// @dev Calldata gas of a non-zero byte.
    uint256 private constant BYTE_GAS = 16;
    /// @dev Bytes that a signature adds. A signature does not compress.
    uint256 private constant SIGNATURE_BYTES = 68;
    /// @dev FastLZ adds at most one byte per 255 bytes, and a constant.
    uint256 private constant FASTLZ_BYTES_PER_EXTRA_BYTE = 255;
    uint256 private constant FASTLZ_EXTRA_BYTES = 16;

    IL1Block private constant L1_BLOCK = IL1Block(Predeploys.L1_BLOCK);

    /// @inheritdoc IGasPriceOracle
    function getL1Fee(bytes memory _data) external view returns (uint256) {
        return _fee(_estimatedSize(_fastLzBytes(_data)));
    }

    /// @inheritdoc IGasPriceOracle
    function getL1FeeUpperBound(uint256 _unsignedTxSize) external view returns (uint256) {
        uint256 signedBytes = _unsignedTxSize + SIGNATURE_BYTES;
        return
            _fee(_estimatedSize(signedBytes + signedBytes / FASTLZ_BYTES_PER_EXTRA_BYTE + FASTLZ_EXTRA_BYTES));
    }

    /// @inheritdoc IGasPriceOracle
    function getL1GasUsed(bytes memory _data) external pure returns (uint256) {
        return _estimatedSize(_fastLzBytes(_data)) * BYTE_GAS / SIZE_UNIT;
    }

    /// @inheritdoc IGasPriceOracle
    function gasPrice() external view returns (uint256) {
        return block.basefee;
    }

    /// @inheritdoc IGasPriceOracle
    function baseFee() external view returns (uint256) {
        return block.basefee;
    }

    /// @inheritdoc IGasPriceOracle
    function l1BaseFee() public view returns (uint256) {
        return L1_BLOCK.basefee();
    }

    /// @inheritdoc IGasPriceOracle
    function blobBaseFee() public view returns (uint256) {
        return L1_BLOCK.blobBaseFee();
    }

    /// @inheritdoc IGasPriceOracle
    function baseFeeScalar() public view returns (uint32) {
        return L1_BLOCK.baseFeeScalar();
    }

    /// @inheritdoc IGasPriceOracle
    function blobBaseFeeScalar() public view returns (uint32) {
        return L1_BLOCK.blobBaseFeeScalar();
    }

    function _fastLzBytes(bytes memory unsignedTransaction) private pure returns (uint256) {
        return LibZip.flzCompress(unsignedTransaction).length + SIGNATURE_BYTES;
    }

    /// @dev Estimated size of the compressed transaction in millionths of a byte.
    function _estimatedSize(uint256 fastLzBytes) private pure returns (uint256) {
        uint256 size = SIZE_PER_FASTLZ_BYTE * fastLzBytes;
        return size < SIZE_MIN + SIZE_DISCOUNT ? SIZE_MIN : size - SIZE_DISCOUNT;
    }

    function _fee(uint256 estimatedSize) private view returns (uint256) {
        uint256 weightedPrice = BYTE_GAS * baseFeeScalar() * l1BaseFee() + blobBaseFeeScalar() * blobBaseFee();
        return estimatedSize * weightedPrice / FEE_DIVISOR;
    }
}
