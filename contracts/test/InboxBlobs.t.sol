// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IInbox, Item } from "../src/interfaces/IInbox.sol";
import { Relay } from "./utils/Fakes.sol";
import { InboxFixture } from "./utils/InboxFixture.sol";

/// @notice Entries with data in blobs.
contract InboxBlobsTest is InboxFixture {
    function blobItem(uint256 count) private view returns (Item memory) {
        return itemOf(KIND_BLOBS, 0, 0, abi.encodePacked(uint8(count)));
    }

    function appendBlobs(uint256 count) private {
        append(only(blobItem(count)));
    }

    function test_appendBlobs_recordsTheirHashes() public {
        deposit(1);
        for (uint256 count = 1; count <= ENTRY_BLOBS_MAX; ++count) {
            bytes32[] memory hashes = blobs(count);
            bytes32 before = lastAcc();
            Item memory item_ = itemOf(KIND_BLOBS, 1, 0, abi.encodePacked(uint8(count)));
            bytes32 dataHash = keccak256(abi.encodePacked(hashes));
            bytes32 content = extended(inbox.content(), item_, dataHash);
            vm.recordLogs();
            append(only(item_));
            Recorded memory r = recorded();
            vm.assertEq(r.prevAcc, before);
            vm.assertEq(uint256(r.entry.dataKind), 2);
            vm.assertEq(r.entry.dataHash, dataHash);
            vm.assertEq(r.entry.depositCount, 1);
            vm.assertEq(r.entry.index, count);
            vm.assertEq(r.content, content);
            vm.assertEq(lastAcc(), r.acc);
        }
    }

    /// @dev Each item takes the next blobs of the transaction.
    function test_appendBlobs_severalItems_shareTheBlobs() public {
        bytes32[] memory hashes = blobs(9);
        Item[] memory items = new Item[](4);
        items[0] = blobItem(2);
        items[1] = itemOf(KIND_CALLDATA, 0, 0, "between");
        items[2] = blobItem(6);
        items[3] = blobItem(1);
        vm.recordLogs();
        append(items);
        Recorded[] memory r = recorded(4);
        vm.assertEq(r[0].entry.dataHash, keccak256(abi.encodePacked(hashes[0], hashes[1])));
        vm.assertEq(r[1].entry.dataHash, dataHashOf("between"));
        vm.assertEq(
            r[2].entry.dataHash,
            keccak256(abi.encodePacked(hashes[2], hashes[3], hashes[4], hashes[5], hashes[6], hashes[7]))
        );
        vm.assertEq(r[3].entry.dataHash, keccak256(abi.encodePacked(hashes[8])));
    }

    function test_appendBlobs_missingBlob_reverts() public {
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_MissingBlob.selector, 0), blobItem(1));
        blobs(3);
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_MissingBlob.selector, 3), blobItem(4));
        Item[] memory items = new Item[](2);
        items[0] = blobItem(2);
        items[1] = blobItem(2);
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_MissingBlob.selector, 3), items);
    }

    function test_appendBlobs_unusedBlobs_reverts() public {
        blobs(3);
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_UnusedBlobs.selector, 2), blobItem(2));
        Item[] memory items = new Item[](2);
        items[0] = blobItem(1);
        items[1] = itemOf(KIND_CALLDATA, 0, 0, "");
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_UnusedBlobs.selector, 1), items);
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_UnusedBlobs.selector, 0), itemOf(KIND_CALLDATA, 0, 0, "batch")
        );
    }

    function test_appendBlobs_badBlobCount_reverts() public {
        blobs(ENTRY_BLOBS_MAX + 1);
        badBlobCountReverts(0);
        badBlobCountReverts(ENTRY_BLOBS_MAX + 1);
        badBlobCountReverts(255);
    }

    function badBlobCountReverts(uint256 count) private {
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_BadBlobCount.selector, count, ENTRY_BLOBS_MAX),
            blobItem(count)
        );
    }

    function test_appendBlobs_dataIsNotOneByte_reverts() public {
        blobs(1);
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_BadBlobData.selector, 0), itemOf(KIND_BLOBS, 0, 0, "")
        );
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_BadBlobData.selector, 2), itemOf(KIND_BLOBS, 0, 0, hex"0100")
        );
    }

    function test_appendBlobs_notBatcher_reverts() public {
        blobs(1);
        bytes32 content = inbox.content();
        Item[] memory items = only(blobItem(1));
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_NotBatcher.selector, USER));
        vm.prank(USER, USER);
        inbox.append(content, items, new bytes[](0));
    }

    function test_appendBlobs_notOutermost_reverts() public {
        blobs(1);
        bytes32 content = inbox.content();
        Item[] memory items = only(blobItem(1));
        vm.expectRevert(IInbox.Inbox_NotTopLevel.selector);
        vm.prank(BATCHER, USER);
        inbox.append(content, items, new bytes[](0));
        Relay relay = new Relay();
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_NotBatcher.selector, address(relay)));
        vm.prank(BATCHER, BATCHER);
        relay.relay(address(inbox), appendCall(content, items));
    }

    function test_appendBlobs_twice_reverts() public {
        blobs(1);
        bytes32 content = inbox.content();
        Item[] memory items = only(blobItem(1));
        appendBlobs(1);
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_WrongContent.selector, content, inbox.content()));
        vm.prank(BATCHER, BATCHER);
        inbox.append(content, items, new bytes[](0));
    }

    function test_appendBlobs_obeysDepositsAndOrigins() public {
        blobs(1);
        deposit(1);
        vm.warp(START_TIME + FORCE_WINDOW);
        appendBlobs(1);
        vm.assertEq(inbox.consumedDeposits(), 1);
        Item memory item_ = itemOf(KIND_BLOBS, 0, 2, hex"01");
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_WrongOriginAcc.selector, 2, bytes32(0), bytes32(0)), item_
        );
    }
}
