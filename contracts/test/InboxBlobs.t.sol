// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Entry, IInbox } from "../src/interfaces/IInbox.sol";
import { Relay } from "./utils/Fakes.sol";
import { InboxFixture } from "./utils/InboxFixture.sol";
import { Log } from "./utils/Vm.sol";

/// @notice Entries with data in blobs, and the gas of an entry.
contract InboxBlobsTest is InboxFixture {
    /// @dev Intrinsic gas: per transaction, and per byte of its input (EIP-2028).
    uint256 private constant TRANSACTION_GAS = 21_000;
    uint256 private constant NONZERO_BYTE_GAS = 16;

    function blobs(uint256 count) private returns (bytes32[] memory hashes) {
        hashes = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            hashes[i] = bytes32(uint256(1) << 248 | uint256(keccak256(abi.encode(i))) >> 8);
        }
        vm.blobhashes(hashes);
    }

    function appendBlobs(uint64 depositCount, uint64 origin) private {
        bytes32 prevAcc = lastAcc();
        bytes32 depositAcc = portal.depositAcc(depositCount);
        vm.prank(BATCHER, BATCHER);
        inbox.appendBlobs(prevAcc, depositCount, depositAcc, origin);
    }

    function test_appendBlobs_recordsTheirHashes() public {
        deposit(1);
        for (uint256 count = 1; count <= ENTRY_BLOBS_MAX; ++count) {
            bytes32[] memory hashes = blobs(count);
            bytes32 before = lastAcc();
            vm.recordLogs();
            appendBlobs(1, 0);
            Log[] memory logs = vm.getRecordedLogs();
            vm.assertEq(logs.length, 1);
            (bytes32 prevAcc, Entry memory entry) = abi.decode(logs[0].data, (bytes32, Entry));
            vm.assertEq(prevAcc, before);
            vm.assertEq(uint256(entry.dataKind), 2);
            vm.assertEq(entry.dataHash, keccak256(abi.encodePacked(hashes)));
            vm.assertEq(entry.depositCount, 1);
            vm.assertEq(entry.index, count);
            vm.assertEq(lastAcc(), keccak256(abi.encode(before, entry)));
        }
    }

    function test_appendBlobs_noBlob_reverts() public {
        bytes32 prevAcc = lastAcc();
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_BadBlobCount.selector, 0, ENTRY_BLOBS_MAX));
        vm.prank(BATCHER, BATCHER);
        inbox.appendBlobs(prevAcc, 0, 0, 0);
    }

    function test_appendBlobs_tooManyBlobs_reverts() public {
        blobs(ENTRY_BLOBS_MAX + 1);
        bytes32 prevAcc = lastAcc();
        vm.expectRevert(
            abi.encodeWithSelector(IInbox.Inbox_BadBlobCount.selector, ENTRY_BLOBS_MAX + 1, ENTRY_BLOBS_MAX)
        );
        vm.prank(BATCHER, BATCHER);
        inbox.appendBlobs(prevAcc, 0, 0, 0);
    }

    function test_appendBlobs_notBatcher_reverts() public {
        blobs(1);
        bytes32 prevAcc = lastAcc();
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_NotBatcher.selector, USER));
        vm.prank(USER, USER);
        inbox.appendBlobs(prevAcc, 0, 0, 0);
    }

    function test_appendBlobs_notOutermost_reverts() public {
        blobs(1);
        bytes32 prevAcc = lastAcc();
        vm.expectRevert(IInbox.Inbox_NotTopLevel.selector);
        vm.prank(BATCHER, USER);
        inbox.appendBlobs(prevAcc, 0, 0, 0);
        Relay relay = new Relay();
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_NotBatcher.selector, address(relay)));
        vm.prank(BATCHER, BATCHER);
        relay.relay(address(inbox), abi.encodeCall(inbox.appendBlobs, (prevAcc, 0, bytes32(0), 0)));
    }

    function test_appendBlobs_twice_reverts() public {
        blobs(1);
        bytes32 prevAcc = lastAcc();
        appendBlobs(0, 0);
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_WrongPrevAcc.selector, prevAcc, lastAcc()));
        vm.prank(BATCHER, BATCHER);
        inbox.appendBlobs(prevAcc, 0, 0, 0);
    }

    function test_appendBlobs_obeysDepositsAndOrigins() public {
        blobs(1);
        deposit(1);
        vm.warp(START_TIME + FORCE_WINDOW);
        bytes32 prevAcc = lastAcc();
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_OverdueDepositLeftOut.selector, 0));
        vm.prank(BATCHER, BATCHER);
        inbox.appendBlobs(prevAcc, 0, 0, 0);
        bytes32 depositAcc = portal.depositAcc(1);
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_OriginNotEarlier.selector, 1, 1));
        vm.prank(BATCHER, BATCHER);
        inbox.appendBlobs(prevAcc, 1, depositAcc, 1);
    }

    // --- gas

    /// @dev Gas of a transaction with this input, all state cold.
    function transactionGas(bytes memory input) private returns (uint256 gas) {
        gas = TRANSACTION_GAS;
        for (uint256 i; i < input.length; ++i) {
            gas += input[i] == 0 ? NONZERO_BYTE_GAS / 4 : NONZERO_BYTE_GAS;
        }
        vm.cool(address(inbox));
        vm.cool(address(portal));
        vm.prank(BATCHER, BATCHER);
        uint256 before = gasleft();
        (bool ok,) = address(inbox).call(input);
        gas += before - gasleft();
        vm.assertTrue(ok);
    }

    /// @dev One new slot (22,100), one update (5,000), and less than 60,000 for everything else, deposits included.
    function test_gas_ofAnEntry() public {
        uint256 most = 22_100 + 5000 + 60_000;
        blobs(ENTRY_BLOBS_MAX);
        appendBlobs(0, 0);
        deposit(3);

        bytes32 depositAcc = portal.depositAcc(3);
        uint256 inBlobs = transactionGas(abi.encodeCall(inbox.appendBlobs, (lastAcc(), 3, depositAcc, 1)));
        vm.assertGt(most, inBlobs);
        uint256 inCalldata = transactionGas(abi.encodeCall(inbox.append, (lastAcc(), 3, depositAcc, 2, "")));
        vm.assertGt(most, inCalldata);
        // Exactly one new slot was written.
        vm.assertGt(inBlobs, TRANSACTION_GAS + 22_100 + 5000);
        vm.assertGt(TRANSACTION_GAS + 2 * 22_100 + 5000 + 20_000, inBlobs);
    }
}
