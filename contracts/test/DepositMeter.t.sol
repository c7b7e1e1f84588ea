// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Portal } from "../src/L1/Portal.sol";
import { IPortal, PortalConfig } from "../src/interfaces/IPortal.sol";
import { IRollup } from "../src/interfaces/IRollup.sol";
import { Meter, MeterConfig, ResourceMeter } from "../src/lib/ResourceMeter.sol";
import { Test } from "./utils/Test.sol";

/// @notice The price of deposits. Expected fees are those of the OP stack's ResourceMetering: values that its tests
///         publish, its formula computed with exact decimals, and a step-by-step model of EIP-1559.
contract DepositMeterTest is Test {
    uint64 private constant GAS_MAX = 40_000_000;
    uint64 private constant GAS_TARGET = 10_000_000;
    uint64 private constant GAS_MIN = 312_500;
    uint64 private constant GAS_LIMIT_MAX = 2 ** 24;
    uint128 private constant FEE_MIN = 0.1 gwei;
    uint128 private constant FEE_MAX = type(uint128).max;
    /// @dev Maximum gas of an L1 transaction (EIP-7825).
    uint256 private constant L1_TRANSACTION_GAS_MAX = 2 ** 24;
    /// @dev Gas of a deposit without the burn, and of the call around the metered part and one step of the burn.
    uint256 private constant OWN_GAS_MAX = 80_000;
    uint256 private constant BURN_SLACK_GAS_MAX = 2000;
    uint256 private constant SLOTS = 16;

    address private immutable USER = account("user");
    Portal private portal;

    function setUp() public {
        vm.warp(START_TIME);
        vm.roll(START_BLOCK);
        vm.fee(1 gwei);
        portal = new Portal(PortalConfig({ rollup: IRollup(address(1)), guardian: address(0), pauseMax: 0 }));
    }

    function deposit(uint64 gasLimit) private {
        vm.prank(USER, USER);
        portal.depositTransaction(USER, 0, gasLimit, false, "");
    }

    function soldOut(uint64 gasLimit, uint64 left) private {
        uint64 metered = gasLimit < GAS_MIN ? GAS_MIN : gasLimit;
        vm.expectRevert(abi.encodeWithSelector(IPortal.Portal_DepositGasSoldOut.selector, metered, left));
        deposit(gasLimit);
    }

    function paramsAre(uint128 baseFee, uint64 boughtGas, uint256 blockNum) private view {
        (uint128 prevBaseFee, uint64 prevBoughtGas, uint64 prevBlockNum) = portal.params();
        vm.assertEq(prevBaseFee, baseFee);
        vm.assertEq(prevBoughtGas, boughtGas);
        vm.assertEq(prevBlockNum, blockNum);
    }

    // --- base fee

    function opConfig() private pure returns (MeterConfig memory) {
        return MeterConfig({
            gasMax: 20_000_000, elasticity: 10, denominator: 8, baseFeeMin: 1 gwei, baseFeeMax: FEE_MAX
        });
    }

    function ownConfig() private pure returns (MeterConfig memory) {
        return MeterConfig({
            gasMax: GAS_MAX, elasticity: 4, denominator: 8, baseFeeMin: FEE_MIN, baseFeeMax: FEE_MAX
        });
    }

    function next(MeterConfig memory config, uint128 baseFee, uint64 bought, uint64 blocks)
        private
        pure
        returns (uint128)
    {
        return ResourceMeter.nextBaseFee(Meter(baseFee, bought, 0), config, blocks);
    }

    /// @dev ResourceMetering.t.sol of the OP stack, with its parameters.
    function test_nextBaseFee_publishedByOp() public pure {
        MeterConfig memory config = opConfig();
        vm.assertEq(next(config, 1 gwei, 0, 1), 1 gwei);
        vm.assertEq(next(config, 1 gwei, 0, 2), 1 gwei);
        vm.assertEq(next(config, 1 gwei, 0, 10), 1 gwei);
        vm.assertEq(next(config, 1 gwei, 2_000_000, 1), 1 gwei);
        vm.assertEq(next(config, 1 gwei, 20_000_000, 1), 2_125_000_000);
    }

    /// @dev The OP stack's formula in exact decimals, with its parameters.
    function test_nextBaseFee_formulaOfOp() public pure {
        MeterConfig memory config = opConfig();
        vm.assertEq(next(config, 50 gwei, 0, 1), 43_750_000_000);
        vm.assertEq(next(config, 50 gwei, 0, 2), 38_281_249_999);
        vm.assertEq(next(config, 50 gwei, 20_000_000, 1), 106_250_000_000);
        vm.assertEq(next(config, 200 gwei, 100_000, 31), 3_209_007_383);
        vm.assertEq(next(config, FEE_MAX, 0, 1), 297_747_071_055_821_155_530_452_781_502_797_185_024);
        vm.assertEq(next(config, FEE_MAX, 20_000_000, 1), FEE_MAX);
    }

    /// @dev The same formula with the portal's parameters.
    function test_nextBaseFee_formulaWithOwnParameters() public pure {
        MeterConfig memory config = ownConfig();
        vm.assertEq(next(config, FEE_MIN, 0, 1), FEE_MIN);
        vm.assertEq(next(config, FEE_MIN, GAS_TARGET, 1), FEE_MIN);
        vm.assertEq(next(config, FEE_MIN, GAS_MAX, 1), 137_500_000);
        vm.assertEq(next(config, FEE_MIN, GAS_MAX, 2), 120_312_499);
        vm.assertEq(next(config, FEE_MIN, 31_250_000, 1), 126_562_500);
        vm.assertEq(next(config, 1 gwei, 0, 1), 875_000_000);
        vm.assertEq(next(config, 1 gwei, 0, 2), 765_624_999);
        vm.assertEq(next(config, 1 gwei, 9_999_999, 1), 999_999_988);
        vm.assertEq(next(config, 1 gwei, 10_000_001, 1), 1_000_000_012);
        vm.assertEq(next(config, 1 gwei, GAS_MAX, 5), 805_999_755);
        vm.assertEq(next(config, 123_456_789_012, 17_000_000, 7), 60_254_926_492);
        vm.assertEq(next(config, 500 gwei, GAS_MIN, 64), FEE_MIN);
        vm.assertEq(next(config, 1e20, GAS_MAX, 100), 249_516_889_239_475);
        vm.assertEq(next(config, 1e20, GAS_MAX, 150), 314_414_523_225);
        vm.assertEq(next(config, FEE_MAX, GAS_MAX, 1), FEE_MAX);
        vm.assertEq(next(config, FEE_MAX, 0, 2), 260_528_687_173_843_510_791_399_112_759_126_381_365);
        vm.assertEq(next(config, FEE_MAX, 0, 500), FEE_MIN);
    }

    /// @dev A gap of any length takes the same work and cannot overflow.
    function test_nextBaseFee_longestGap() public pure {
        vm.assertEq(next(ownConfig(), 7 gwei, GAS_MAX, type(uint64).max), FEE_MIN);
        vm.assertEq(next(ownConfig(), FEE_MAX, GAS_MAX, type(uint64).max), FEE_MIN);
    }

    /// @dev EIP-1559 block by block, in which each block without purchases takes off an eighth. The exponential
    ///      differs by rounding only.
    function testFuzz_nextBaseFee_followsEip1559(uint128 baseFee, uint64 bought, uint8 gap) public pure {
        baseFee = uint128(bound(baseFee, FEE_MIN, 1e30));
        bought = bound64(bought, 0, GAS_MAX);
        uint64 blocks = bound64(gap, 1, 60);
        uint256 expected = baseFee;
        if (bought > GAS_TARGET) expected += uint256(baseFee) * (bought - GAS_TARGET) / (GAS_TARGET * 8);
        else expected -= uint256(baseFee) * (GAS_TARGET - bought) / (GAS_TARGET * 8);
        if (expected < FEE_MIN) expected = FEE_MIN;
        uint256 exact = expected;
        for (uint256 i = 1; i < blocks; ++i) {
            expected -= expected / 8;
        }
        if (expected < FEE_MIN) expected = FEE_MIN;
        uint256 found = next(ownConfig(), baseFee, bought, blocks);
        uint256 slack = blocks == 1 ? 0 : 8 + exact / 1e16;
        vm.assertLe(found, expected + slack);
        vm.assertLe(expected, found + slack);
    }

    // --- the portal's meter

    function test_params_startAtTheMinimum() public view {
        paramsAre(FEE_MIN, 0, START_BLOCK);
        vm.assertEq(portal.DEPOSIT_GAS_PER_L1_BLOCK_MAX(), GAS_MAX);
        vm.assertEq(portal.DEPOSIT_GAS_MIN(), GAS_MIN);
        vm.assertEq(portal.DEPOSIT_GAS_ELASTICITY(), 4);
        vm.assertEq(portal.DEPOSIT_BASE_FEE_DENOMINATOR(), 8);
        vm.assertEq(portal.DEPOSIT_BASE_FEE_MIN(), FEE_MIN);
        vm.assertEq(portal.DEPOSIT_BASE_FEE_MAX(), FEE_MAX);
        vm.assertEq(portal.L1_BASE_FEE_MIN(), 1 gwei);
    }

    function test_params_shareASlot() public {
        deposit(400_000);
        bytes32 packed = bytes32(uint256(START_BLOCK) << 192 | uint256(400_000) << 128 | FEE_MIN);
        uint256 found;
        for (uint256 slot; slot < SLOTS; ++slot) {
            if (vm.load(address(portal), bytes32(slot)) == packed) ++found;
        }
        vm.assertEq(found, 1);
    }

    /// @dev A deposit is metered as max(gasLimit, 312,500).
    function test_deposit_isMeteredAsItsGasLimit() public {
        deposit(21_000);
        paramsAre(FEE_MIN, GAS_MIN, START_BLOCK);
        deposit(GAS_MIN);
        paramsAre(FEE_MIN, 2 * GAS_MIN, START_BLOCK);
        deposit(GAS_MIN + 1);
        paramsAre(FEE_MIN, 3 * GAS_MIN + 1, START_BLOCK);
        vm.prank(USER, USER);
        (bool ok,) = address(portal).call("");
        vm.assertTrue(ok);
        paramsAre(FEE_MIN, 4 * GAS_MIN + 1, START_BLOCK);
    }

    function test_deposit_beyondTheL1BlocksGas_reverts() public {
        deposit(GAS_LIMIT_MAX);
        deposit(GAS_LIMIT_MAX);
        uint64 left = GAS_MAX - 2 * GAS_LIMIT_MAX;
        soldOut(left + 1, left);
        deposit(left);
        soldOut(21_000, 0);
        vm.assertEq(portal.depositCount(), 3);
        paramsAre(FEE_MIN, GAS_MAX, START_BLOCK);

        vm.roll(START_BLOCK + 1);
        deposit(21_000);
        paramsAre(137_500_000, GAS_MIN, START_BLOCK + 1);
    }

    function test_deposit_atMost128InAnL1Block() public {
        for (uint256 i; i < 128; ++i) {
            deposit(21_000);
        }
        soldOut(21_000, 0);
    }

    /// @dev The portal applies the formula between blocks, for any purchases.
    function testFuzz_params_followTheFormula(uint64[8] calldata gas, uint8[8] calldata gaps) public {
        (uint128 baseFee, uint64 bought, uint256 blockNum) = (FEE_MIN, 0, START_BLOCK);
        for (uint256 i; i < gas.length; ++i) {
            uint64 gap = gaps[i] % 4;
            uint64 amount = bound64(gas[i], GAS_MIN, GAS_LIMIT_MAX);
            if (gap != 0) {
                baseFee = next(ownConfig(), baseFee, bought, gap);
                (bought, blockNum) = (0, blockNum + gap);
                vm.roll(blockNum);
            }
            if (bought + amount > GAS_MAX) continue;
            deposit(amount);
            bought += amount;
            paramsAre(baseFee, bought, blockNum);
        }
    }

    // --- burn

    /// @dev Gas of a deposit's call, with the slots that every deposit writes to warm.
    function gasOfDeposit(uint64 gasLimit) private returns (uint256) {
        deposit(21_000);
        bytes memory input = abi.encodeCall(portal.depositTransaction, (USER, 0, gasLimit, false, ""));
        vm.prank(USER, USER);
        uint256 before = gasleft();
        (bool ok,) = address(portal).call(input);
        uint256 spent = before - gasleft();
        vm.assertTrue(ok);
        return spent;
    }

    /// @dev A deposit uses the price of its gas at the L1 base fee, or at 1 gwei if that is more, and not much more
    ///      than the larger of that and its own work.
    function testFuzz_deposit_burnsThePrice(uint64 gasLimit, uint64 l1BaseFee, uint8 rise) public {
        gasLimit = bound64(gasLimit, 21_000, GAS_LIMIT_MAX);
        l1BaseFee = bound64(l1BaseFee, 0, 300 gwei);
        vm.fee(l1BaseFee);
        for (uint256 i; i < rise % 4; ++i) {
            deposit(GAS_LIMIT_MAX);
            deposit(GAS_LIMIT_MAX);
            vm.roll(block.number + 1);
        }
        uint256 spent = gasOfDeposit(gasLimit);
        (uint128 baseFee,,) = portal.params();
        uint256 metered = gasLimit < GAS_MIN ? GAS_MIN : gasLimit;
        uint256 due = metered * baseFee / (l1BaseFee < 1 gwei ? 1 gwei : l1BaseFee);
        vm.assertGe(spent, due);
        vm.assertLe(spent, (due > OWN_GAS_MAX ? due : OWN_GAS_MAX) + BURN_SLACK_GAS_MAX);
    }

    /// @dev 2^24 L2 gas at 0.1 gwei are 0.0016777216 ether: 1,677,721 L1 gas at 1 gwei, and as many below.
    function test_deposit_burn_atTheMinimumPrice() public {
        uint64[3] memory l1BaseFees = [uint64(0), 0.5 gwei, 1 gwei];
        for (uint256 i; i < 3; ++i) {
            vm.roll(block.number + 10);
            vm.fee(l1BaseFees[i]);
            uint256 spent = gasOfDeposit(GAS_LIMIT_MAX);
            vm.assertGe(spent, 1_677_721);
            vm.assertLe(spent, 1_677_721 + BURN_SLACK_GAS_MAX);
        }
        vm.roll(block.number + 10);
        vm.fee(10 gwei);
        uint256 dear = gasOfDeposit(GAS_LIMIT_MAX);
        vm.assertGe(dear, 167_772);
        vm.assertLe(dear, 167_772 + BURN_SLACK_GAS_MAX);
    }

    /// @dev The largest deposit with the most data fits an L1 transaction at the minimum price.
    function test_deposit_largest_fitsAnL1Transaction() public {
        uint256 dataBytes = portal.DEPOSIT_DATA_BYTES_MAX();
        bytes memory data = new bytes(dataBytes);
        for (uint256 i; i < dataBytes; ++i) {
            data[i] = 0xff;
        }
        bytes memory input = abi.encodeCall(portal.depositTransaction, (USER, 0, GAS_LIMIT_MAX, false, data));
        uint256 floorGas = 21_000 + 40 * input.length;
        vm.fee(0);
        vm.prank(USER, USER);
        (bool ok,) = address(portal).call{ gas: L1_TRANSACTION_GAS_MAX - floorGas }(input);
        vm.assertTrue(ok);
    }

    function test_deposit_withoutGasToBurn_reverts() public {
        vm.prank(USER, USER);
        (bool ok,) = address(portal).call{ gas: 1_677_721 }(
            abi.encodeCall(portal.depositTransaction, (USER, 0, GAS_LIMIT_MAX, false, ""))
        );
        vm.assertEq(ok, false);
        vm.assertEq(portal.depositCount(), 0);
        paramsAre(FEE_MIN, 0, START_BLOCK);
    }
}
