// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { FeeVault } from "../src/L2/FeeVault.sol";
import { IFeeVault } from "../src/interfaces/IFeeVault.sol";
import { IL2ToL1MessagePasser } from "../src/interfaces/IL2ToL1MessagePasser.sol";
import { Predeploys } from "../src/lib/Predeploys.sol";
import { L2Fixture } from "./utils/L2Fixture.sol";

contract FeeVaultTest is L2Fixture {
    address private constant RECIPIENT = address(0xfee);
    FeeVault private constant VAULT = FeeVault(payable(Predeploys.BASE_FEE_VAULT));

    function setUp() public override {
        super.setUp();
        vm.store(address(VAULT), 0, bytes32(uint256(uint160(RECIPIENT))));
    }

    function pay(uint256 value) private {
        vm.prank(USER);
        (bool ok,) = address(VAULT).call{ value: value }("");
        vm.assertTrue(ok);
    }

    function test_recipient_isInSlotZero() public view {
        vm.assertEq(VAULT.RECIPIENT(), RECIPIENT);
        vm.assertEq(FeeVault(payable(Predeploys.L1_FEE_VAULT)).RECIPIENT(), address(0));
    }

    function testFuzz_withdraw_sendsEverythingToL1(uint96 first, uint96 second) public {
        uint256 sum;
        uint96[2] memory payments = [first, second];
        for (uint256 i; i < 2; ++i) {
            uint256 value = bound(payments[i], 1, type(uint96).max);
            sum += value;
            pay(value);
            uint256 nonce = PASSER.messageNonce();
            vm.expectEmit(address(VAULT));
            emit IFeeVault.Withdrawal(value, RECIPIENT, USER);
            vm.expectEmit(address(PASSER));
            emit IL2ToL1MessagePasser.MessagePassed(
                nonce,
                address(VAULT),
                RECIPIENT,
                value,
                400_000,
                "",
                keccak256(abi.encode(nonce, address(VAULT), RECIPIENT, value, uint256(400_000), bytes("")))
            );
            vm.prank(USER);
            VAULT.withdraw();
            vm.assertEq(VAULT.totalProcessed(), sum);
            vm.assertEq(address(VAULT).balance, 0);
            vm.assertEq(address(PASSER).balance, sum);
        }
        vm.assertEq(slotOf(address(VAULT), 1), sum);
    }

    function test_withdraw_empty_reverts() public {
        vm.expectRevert(IFeeVault.FeeVault_Empty.selector);
        VAULT.withdraw();
    }

    function test_withdraw_noRecipient_reverts() public {
        pay(1);
        vm.store(address(VAULT), 0, bytes32(0));
        vm.expectRevert(IFeeVault.FeeVault_NoRecipient.selector);
        VAULT.withdraw();
    }
}
