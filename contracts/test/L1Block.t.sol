// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IL1Block } from "../src/interfaces/IL1Block.sol";
import { L2Fixture } from "./utils/L2Fixture.sol";

contract L1BlockTest is L2Fixture {
    function test_depositorAccount() public view {
        vm.assertEq(L1_BLOCK.DEPOSITOR_ACCOUNT(), DEPOSITOR);
    }

    function testFuzz_setValues_readsBack(Attributes memory a) public {
        vm.assertEq(abi.encodePacked(IL1Block.setL1BlockValuesEcotone.selector), hex"440a5e20");
        setAttributes(a);
        vm.assertEq(L1_BLOCK.baseFeeScalar(), a.baseFeeScalar);
        vm.assertEq(L1_BLOCK.blobBaseFeeScalar(), a.blobBaseFeeScalar);
        vm.assertEq(L1_BLOCK.sequenceNumber(), a.sequenceNumber);
        vm.assertEq(L1_BLOCK.timestamp(), a.timestamp);
        vm.assertEq(L1_BLOCK.number(), a.number);
        vm.assertEq(L1_BLOCK.basefee(), a.basefee);
        vm.assertEq(L1_BLOCK.blobBaseFee(), a.blobBaseFee);
        vm.assertEq(L1_BLOCK.hash(), a.hash);
        vm.assertEq(L1_BLOCK.batcherHash(), a.batcherHash);
    }

    /// @dev The slots that OP clients read.
    function testFuzz_setValues_storageLayout(Attributes memory a) public {
        setAttributes(a);
        vm.assertEq(slotOf(address(L1_BLOCK), 0), a.number | uint256(a.timestamp) << 64);
        vm.assertEq(slotOf(address(L1_BLOCK), 1), a.basefee);
        vm.assertEq(slotOf(address(L1_BLOCK), 2), uint256(a.hash));
        vm.assertEq(
            slotOf(address(L1_BLOCK), 3),
            a.sequenceNumber | uint256(a.blobBaseFeeScalar) << 64 | uint256(a.baseFeeScalar) << 96
        );
        vm.assertEq(slotOf(address(L1_BLOCK), 4), uint256(a.batcherHash));
        vm.assertEq(slotOf(address(L1_BLOCK), 5), 0);
        vm.assertEq(slotOf(address(L1_BLOCK), 6), 0);
        vm.assertEq(slotOf(address(L1_BLOCK), 7), a.blobBaseFee);
    }

    function test_setValues_notDepositor_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IL1Block.L1Block_NotDepositor.selector, USER));
        vm.prank(USER);
        L1_BLOCK.setL1BlockValuesEcotone();
    }

    function test_setValues_shortCalldata_reverts() public {
        Attributes memory a;
        bytes memory input = packed(a);
        assembly ("memory-safe") {
            mstore(input, sub(mload(input), 1))
        }
        vm.prank(DEPOSITOR);
        (bool ok,) = address(L1_BLOCK).call(input);
        vm.assertEq(ok, false);
    }
}
