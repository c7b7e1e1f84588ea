// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { L2Fixture } from "./utils/L2Fixture.sol";

contract GasPriceOracleTest is L2Fixture {
    function test_constants() public view {
        vm.assertEq(ORACLE.decimals(), 6);
        vm.assertTrue(ORACLE.isEcotone());
        vm.assertTrue(ORACLE.isFjord());
    }

    function testFuzz_prices_matchL1BlockAndBlock(Attributes memory a, uint64 baseFee) public {
        setAttributes(a);
        vm.fee(baseFee);
        vm.assertEq(ORACLE.l1BaseFee(), a.basefee);
        vm.assertEq(ORACLE.blobBaseFee(), a.blobBaseFee);
        vm.assertEq(ORACLE.baseFeeScalar(), a.baseFeeScalar);
        vm.assertEq(ORACLE.blobBaseFeeScalar(), a.blobBaseFeeScalar);
        vm.assertEq(ORACLE.gasPrice(), baseFee);
        vm.assertEq(ORACLE.baseFee(), baseFee);
    }

    function test_getL1Fee_smallestTransaction() public {
        Attributes memory a;
        a.baseFeeScalar = 1_000_000;
        a.basefee = 10 gwei;
        setAttributes(a);
        // 100 bytes at 16 gas.
        vm.assertEq(ORACLE.getL1Fee(""), 1600 * 10 gwei);
        vm.assertEq(ORACLE.getL1GasUsed(""), 1600);
    }

    function test_getL1Fee_isFreeWithoutScalars() public {
        Attributes memory a;
        a.basefee = 10 gwei;
        a.blobBaseFee = 10 gwei;
        setAttributes(a);
        vm.assertEq(ORACLE.getL1Fee(pattern(1000)), 0);
    }

    function testFuzz_getL1FeeUpperBound_holds(bytes calldata data, uint32 scalar, uint32 blobScalar) public {
        Attributes memory a;
        a.baseFeeScalar = scalar;
        a.blobBaseFeeScalar = blobScalar;
        a.basefee = 10 gwei;
        a.blobBaseFee = 3 gwei;
        setAttributes(a);
        vm.assertLe(ORACLE.getL1Fee(data), ORACLE.getL1FeeUpperBound(data.length));
    }

    function test_getL1FeeUpperBound_formula() public {
        Attributes memory a;
        a.baseFeeScalar = 1_000_000;
        a.basefee = 1 gwei;
        setAttributes(a);
        // 1000 + 68 bytes, 4 more for one in 255, and 16.
        uint256 size = 836_500 * uint256(1088) - 42_585_600;
        vm.assertEq(ORACLE.getL1FeeUpperBound(1000), size * 16 * 1 gwei / 1e6);
    }
}
