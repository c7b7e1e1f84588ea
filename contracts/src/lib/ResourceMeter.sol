// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { FixedPointMathLib } from "solady/utils/FixedPointMathLib.sol";

/// @notice State of a meter: one slot.
struct Meter {
    /// Base fee in wei of the L1 block in which gas was last bought, the gas bought in it, and its number.
    uint128 prevBaseFee;
    uint64 prevBoughtGas;
    uint64 prevBlockNum;
}

/// @notice Parameters of a meter.
struct MeterConfig {
    /// Most gas that may be bought in an L1 block.
    uint64 gasMax;
    /// The base fee rises when an L1 block buys more than `gasMax / elasticity`, and falls when it buys less.
    uint64 elasticity;
    /// Most by which an L1 block without purchases lowers the base fee, as a divisor.
    uint64 denominator;
    /// Bounds of the base fee in wei.
    uint128 baseFeeMin;
    uint128 baseFeeMax;
}

/// @title ResourceMeter
/// @notice Price of L2 gas that L1 buys, as in EIP-1559. The formulas are those of the OP stack's ResourceMetering.
library ResourceMeter {
    int256 private constant WAD = 1e18;

    /// @notice Moves `meter` to L1 block `blockNum`, if it is not there yet. Nothing is bought in it so far.
    function advance(Meter memory meter, MeterConfig memory config, uint64 blockNum) internal pure {
        if (blockNum == meter.prevBlockNum) return;
        meter.prevBaseFee = nextBaseFee(meter, config, blockNum);
        meter.prevBoughtGas = 0;
        meter.prevBlockNum = blockNum;
    }

    /// @notice The base fee of L1 block `blockNum`, which is after the meter's.
    /// @dev Divisions round towards zero. The exponential covers all blocks without purchases at once, so that the
    ///      work does not grow with their number.
    function nextBaseFee(Meter memory meter, MeterConfig memory config, uint64 blockNum)
        internal
        pure
        returns (uint128)
    {
        (int256 min, int256 max) = (_int(config.baseFeeMin), _int(config.baseFeeMax));
        (int256 baseFee, int256 denominator) = (_int(meter.prevBaseFee), _int(config.denominator));
        int256 target = _int(config.gasMax / config.elasticity);

        int256 delta = baseFee * (_int(meter.prevBoughtGas) - target) / (target * denominator);
        baseFee = FixedPointMathLib.clamp(baseFee + delta, min, max);

        int256 emptyBlocks = _int(blockNum - meter.prevBlockNum) - 1;
        if (emptyBlocks > 0) {
            int256 factor = FixedPointMathLib.powWad(WAD - WAD / denominator, emptyBlocks * WAD);
            baseFee = FixedPointMathLib.clamp(baseFee * factor / WAD, min, max);
        }
        return uint128(uint256(baseFee));
    }

    function _int(uint128 value) private pure returns (int256) {
        return int256(uint256(value));
    }
}
