// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IL2ToL1MessagePasser } from "../src/interfaces/IL2ToL1MessagePasser.sol";
import { L2Fixture } from "./utils/L2Fixture.sol";

contract L2ToL1MessagePasserTest is L2Fixture {
    uint256 private constant FIRST_NONCE = 1 << 240;

    function hashOf(uint256 nonce, address target, uint256 value, uint256 gasLimit, bytes memory data)
        private
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(nonce, USER, target, value, gasLimit, data));
    }

    function expectMessage(
        uint256 nonce,
        address target,
        uint256 value,
        uint256 gasLimit,
        bytes memory data,
        bytes32 hash
    ) private {
        vm.expectEmit(address(PASSER));
        emit IL2ToL1MessagePasser.MessagePassed(nonce, USER, target, value, gasLimit, data, hash);
    }

    function test_messageNonce_startsAtVersionOne() public view {
        vm.assertEq(PASSER.messageNonce(), FIRST_NONCE);
        vm.assertEq(uint256(PASSER.MESSAGE_VERSION()), 1);
    }

    function testFuzz_initiateWithdrawal_records(
        address target,
        uint96 value,
        uint256 gasLimit,
        bytes calldata data
    ) public {
        bytes32 hash = hashOf(FIRST_NONCE, target, value, gasLimit, data);
        vm.assertEq(PASSER.sentMessages(hash), false);
        expectMessage(FIRST_NONCE, target, value, gasLimit, data, hash);
        vm.prank(USER);
        PASSER.initiateWithdrawal{ value: value }(target, gasLimit, data);

        vm.assertEq(PASSER.sentMessages(hash), true);
        vm.assertEq(PASSER.messageNonce(), FIRST_NONCE + 1);
        vm.assertEq(address(PASSER).balance, value);
        // The slot that a storage proof on L1 verifies: the mapping is in slot 0.
        vm.assertEq(slotOf(address(PASSER), uint256(keccak256(abi.encode(hash, uint256(0))))), 1);
        vm.assertEq(slotOf(address(PASSER), 1), 1);
    }

    function test_initiateWithdrawal_sameMessageTwice_givesTwoHashes() public {
        vm.prank(USER);
        PASSER.initiateWithdrawal(USER, 1, "");
        vm.prank(USER);
        PASSER.initiateWithdrawal(USER, 1, "");
        vm.assertTrue(PASSER.sentMessages(hashOf(FIRST_NONCE, USER, 0, 1, "")));
        vm.assertTrue(PASSER.sentMessages(hashOf(FIRST_NONCE + 1, USER, 0, 1, "")));
        vm.assertEq(PASSER.messageNonce(), FIRST_NONCE + 2);
    }

    function test_receive_withdrawsToTheCaller() public {
        expectMessage(FIRST_NONCE, USER, 5, 100_000, "", hashOf(FIRST_NONCE, USER, 5, 100_000, ""));
        vm.prank(USER);
        (bool ok,) = address(PASSER).call{ value: 5 }("");
        vm.assertTrue(ok);
    }

    function test_burn_takesTheWholeBalance() public {
        vm.prank(USER);
        PASSER.initiateWithdrawal{ value: 9 ether }(USER, 1, "");
        vm.expectEmit(address(PASSER));
        emit IL2ToL1MessagePasser.WithdrawerBalanceBurnt(9 ether);
        PASSER.burn();
        vm.assertEq(address(PASSER).balance, 0);
    }
}
