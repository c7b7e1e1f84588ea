// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { FixedPointMathLib } from "solady/utils/FixedPointMathLib.sol";

import { IPortal } from "../interfaces/IPortal.sol";
import { Meter, MeterConfig, ResourceMeter } from "../lib/ResourceMeter.sol";

/// @title DepositMeter
/// @notice Sells the L2 gas of deposits for L1 gas; see IPortal.
abstract contract DepositMeter is IPortal {
    using ResourceMeter for Meter;

    /// @inheritdoc IPortal
    uint64 public constant DEPOSIT_GAS_PER_L1_BLOCK_MAX = 40_000_000;
    /// @inheritdoc IPortal
    uint64 public constant DEPOSIT_GAS_MIN = 312_500;
    /// @inheritdoc IPortal
    uint64 public constant DEPOSIT_GAS_ELASTICITY = 4;
    /// @inheritdoc IPortal
    uint64 public constant DEPOSIT_BASE_FEE_DENOMINATOR = 8;
    /// @inheritdoc IPortal
    uint128 public constant DEPOSIT_BASE_FEE_MIN = 0.1 gwei;
    /// @inheritdoc IPortal
    uint128 public constant DEPOSIT_BASE_FEE_MAX = type(uint128).max;
    /// @inheritdoc IPortal
    uint256 public constant L1_BASE_FEE_MIN = 1 gwei;

    /// @inheritdoc IPortal
    Meter public params;

    constructor() {
        params = Meter({
            prevBaseFee: DEPOSIT_BASE_FEE_MIN, prevBoughtGas: 0, prevBlockNum: uint64(block.number)
        });
    }

    /// @dev Buys the deposit's L2 gas and burns L1 gas until the call has used its price.
    modifier metered(uint64 gasLimit) {
        uint256 gasBefore = gasleft();
        _;
        _burnGasUpTo(gasBefore, _buyGas(gasLimit));
    }

    /// @dev Buys L2 gas in this L1 block and returns its price in L1 gas.
    function _buyGas(uint64 gasLimit) private returns (uint256) {
        Meter memory meter = params;
        meter.advance(_meterConfig(), uint64(block.number));
        uint64 amount = gasLimit < DEPOSIT_GAS_MIN ? DEPOSIT_GAS_MIN : gasLimit;
        uint64 left = DEPOSIT_GAS_PER_L1_BLOCK_MAX - meter.prevBoughtGas;
        if (amount > left) revert Portal_DepositGasSoldOut(amount, left);
        meter.prevBoughtGas += amount;
        params = meter;
        return uint256(amount) * meter.prevBaseFee / FixedPointMathLib.max(block.basefee, L1_BASE_FEE_MIN);
    }

    function _meterConfig() private pure returns (MeterConfig memory) {
        return MeterConfig({
            gasMax: DEPOSIT_GAS_PER_L1_BLOCK_MAX,
            elasticity: DEPOSIT_GAS_ELASTICITY,
            denominator: DEPOSIT_BASE_FEE_DENOMINATOR,
            baseFeeMin: DEPOSIT_BASE_FEE_MIN,
            baseFeeMax: DEPOSIT_BASE_FEE_MAX
        });
    }

    /// @dev Spends gas until at least `gasMin` was used since gasleft() returned `gasBefore`.
    function _burnGasUpTo(uint256 gasBefore, uint256 gasMin) private view {
        while (gasBefore - gasleft() < gasMin) { }
    }
}
