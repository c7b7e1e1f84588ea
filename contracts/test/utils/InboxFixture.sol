// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Inbox } from "../../src/L1/Inbox.sol";
import { Portal } from "../../src/L1/Portal.sol";
import { Entry, IInbox, InboxConfig, Item } from "../../src/interfaces/IInbox.sol";
import { PortalConfig } from "../../src/interfaces/IPortal.sol";
import { IRollup } from "../../src/interfaces/IRollup.sol";
import { Test } from "./Test.sol";
import { Log } from "./Vm.sol";

/// @title InboxFixture
/// @notice A portal and an inbox with small limits.
abstract contract InboxFixture is Test {
    bytes32 internal constant CHAIN_CONFIG_HASH = keccak256("chain configuration");
    uint64 internal constant FORCE_WINDOW = 1 hours;
    uint64 internal constant DEPOSITS_PER_ENTRY_MAX = 4;
    uint64 internal constant ORIGIN_AGE_MAX = 2 hours;
    uint64 internal constant ENTRY_BYTES_MAX = 300_000;
    uint64 internal constant ENTRY_BLOBS_MAX = 6;
    uint16 internal constant ENTRIES_PER_L1_BLOCK_MAX = 8;
    uint64 internal constant KEY_DELAY = 2 days;

    uint8 internal constant KIND_CALLDATA = 1;
    uint8 internal constant KIND_BLOBS = 2;

    address internal immutable BATCHER = account("batcher");
    address internal immutable USER = account("user");
    address internal immutable KEY_ADMIN = account("key admin");

    Portal internal portal;
    Inbox internal inbox;

    function setUp() public virtual {
        vm.warp(START_TIME);
        vm.roll(START_BLOCK);
        portal = newPortal();
        inbox = new Inbox(CHAIN_CONFIG_HASH, portal, BATCHER, defaultInboxConfig());
        vm.deal(USER, 1e30);
    }

    function defaultInboxConfig() internal view returns (InboxConfig memory) {
        return InboxConfig({
            forceWindow: FORCE_WINDOW,
            depositsPerEntryMax: DEPOSITS_PER_ENTRY_MAX,
            originAgeMax: ORIGIN_AGE_MAX,
            entryBytesMax: ENTRY_BYTES_MAX,
            entryBlobsMax: ENTRY_BLOBS_MAX,
            entriesPerL1BlockMax: ENTRIES_PER_L1_BLOCK_MAX,
            keyAdmin: KEY_ADMIN,
            keyDelay: KEY_DELAY
        });
    }

    /// @dev A portal without a rollup, for tests that only make deposits.
    function newPortal() internal returns (Portal) {
        return new Portal(PortalConfig({ rollup: IRollup(address(1)), guardian: address(0), pauseMax: 0 }));
    }

    /// @dev Advances L1 by `blocks` blocks of 12 seconds.
    function advanceL1(uint256 blocks) internal {
        vm.roll(block.number + blocks);
        vm.warp(block.timestamp + 12 * blocks);
    }

    function deposit(uint256 count) internal {
        for (uint256 i; i < count; ++i) {
            vm.prank(USER, USER);
            portal.depositTransaction{ value: 1 }(USER, 1, 21_000, false, "");
        }
    }

    function lastAcc() internal view returns (bytes32) {
        return inbox.acc(inbox.entryCount() - 1);
    }

    /// @dev An item as an honest batcher makes it: it names what the contracts hold now.
    function itemOf(uint8 kind, uint64 depositCount, uint64 origin, bytes memory data)
        internal
        view
        returns (Item memory)
    {
        return Item({
            kind: kind,
            depositCount: depositCount,
            depositAcc: depositCount <= portal.depositCount() ? portal.depositAcc(depositCount) : bytes32(0),
            origin: origin,
            originAcc: origin < inbox.entryCount() ? inbox.acc(origin) : bytes32(0),
            data: data
        });
    }

    function only(Item memory item_) internal pure returns (Item[] memory items) {
        items = new Item[](1);
        items[0] = item_;
    }

    function appendCall(bytes32 expectedContent, Item[] memory items) internal pure returns (bytes memory) {
        return abi.encodeCall(IInbox.append, (expectedContent, items, new bytes[](0)));
    }

    /// @dev Appends as the batcher, on the content that the inbox has.
    function append(Item[] memory items) internal {
        bytes32 expectedContent = inbox.content();
        vm.prank(BATCHER, BATCHER);
        inbox.append(expectedContent, items, new bytes[](0));
    }

    /// @dev Appends one batch of calldata.
    function append(uint64 depositCount, uint64 origin, bytes memory data) internal {
        append(only(itemOf(KIND_CALLDATA, depositCount, origin, data)));
    }

    /// @dev Appends an empty batch with the latest admissible origin.
    function appendEmpty() internal {
        append(inbox.consumedDeposits(), inbox.entryCount() - 1, "");
    }

    /// @dev Expects the append of these items to revert with `reason`.
    function appendReverts(bytes memory reason, Item[] memory items) internal {
        bytes32 expectedContent = inbox.content();
        vm.expectRevert(reason);
        vm.prank(BATCHER, BATCHER);
        inbox.append(expectedContent, items, new bytes[](0));
    }

    function appendReverts(bytes memory reason, Item memory item_) internal {
        appendReverts(reason, only(item_));
    }

    /// @dev `count` versioned hashes of blobs, which the next calls carry.
    function blobs(uint256 count) internal returns (bytes32[] memory hashes) {
        hashes = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            hashes[i] = bytes32(uint256(1) << 248 | uint256(keccak256(abi.encode(i))) >> 8);
        }
        vm.blobhashes(hashes);
    }

    /// @dev The content after an item. It takes the data's hash from the caller.
    function extended(bytes32 content, Item memory item_, bytes32 dataHash) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                content,
                uint256(item_.kind),
                dataHash,
                uint256(item_.depositCount),
                item_.depositAcc,
                uint256(item_.origin),
                item_.originAcc
            )
        );
    }

    function dataHashOf(bytes memory data) internal pure returns (bytes32) {
        return keccak256(data.length == 0 ? bytes("") : abi.encode(keccak256(data)));
    }

    struct Recorded {
        bytes32 acc;
        bytes32 prevAcc;
        Entry entry;
        bytes32 content;
    }

    /// @dev The entries of the events since the last call, which must be all events.
    function recorded(uint256 count) internal returns (Recorded[] memory all) {
        Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, count);
        all = new Recorded[](count);
        for (uint256 i; i < count; ++i) {
            all[i] = decoded(logs[i]);
        }
    }

    function decoded(Log memory log) internal view returns (Recorded memory r) {
        vm.assertEq(log.emitter, address(inbox));
        vm.assertEq(log.topics[0], IInbox.EntryAppended.selector);
        (r.prevAcc, r.entry, r.content) = abi.decode(log.data, (bytes32, Entry, bytes32));
        vm.assertEq(log.topics[1], bytes32(uint256(r.entry.index)));
        r.acc = log.topics[2];
        vm.assertEq(r.acc, keccak256(abi.encode(r.prevAcc, r.entry)));
    }

    /// @dev The entry of the only event since the last call.
    function recorded() internal returns (Recorded memory) {
        return recorded(1)[0];
    }
}
