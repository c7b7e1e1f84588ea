// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Inbox } from "../src/L1/Inbox.sol";
import { Entry, IInbox, InboxConfig, Item } from "../src/interfaces/IInbox.sol";
import { IPortal } from "../src/interfaces/IPortal.sol";
import { Relay } from "./utils/Fakes.sol";
import { InboxFixture } from "./utils/InboxFixture.sol";

contract InboxTest is InboxFixture {
    // --- constructor

    function test_constructor_recordsEntryZero() public {
        vm.recordLogs();
        inbox = new Inbox(CHAIN_CONFIG_HASH, portal, BATCHER, defaultInboxConfig());
        Recorded memory r = recorded();

        vm.assertEq(r.prevAcc, CHAIN_CONFIG_HASH);
        vm.assertEq(inbox.acc(0), r.acc);
        vm.assertEq(inbox.entryCount(), 1);
        vm.assertEq(r.entry.index, 0);
        vm.assertEq(uint256(r.entry.dataKind), 0);
        vm.assertEq(r.entry.dataHash, bytes32(0));
        vm.assertEq(r.entry.depositAcc, bytes32(0));
        vm.assertEq(r.entry.depositCount, 0);
        vm.assertEq(r.entry.l1BlockNumber, START_BLOCK);
        vm.assertEq(r.entry.l1Time, START_TIME);
        vm.assertEq(r.entry.origin, 0);
        vm.assertEq(r.entry.originAcc, bytes32(0));
        vm.assertEq(r.entry.offchainTime, 0);
        vm.assertEq(r.content, CHAIN_CONFIG_HASH);
    }

    function test_constructor_storesConfiguration() public view {
        vm.assertEq(inbox.chainConfigHash(), CHAIN_CONFIG_HASH);
        vm.assertEq(address(inbox.portal()), address(portal));
        vm.assertEq(inbox.batcher(), BATCHER);
        vm.assertEq(inbox.forceWindow(), FORCE_WINDOW);
        vm.assertEq(inbox.depositsPerEntryMax(), DEPOSITS_PER_ENTRY_MAX);
        vm.assertEq(inbox.originAgeMax(), ORIGIN_AGE_MAX);
        vm.assertEq(inbox.entryBytesMax(), ENTRY_BYTES_MAX);
        vm.assertEq(inbox.entryBlobsMax(), ENTRY_BLOBS_MAX);
        vm.assertEq(inbox.entriesPerL1BlockMax(), ENTRIES_PER_L1_BLOCK_MAX);
        vm.assertEq(inbox.consumedDeposits(), 0);
        vm.assertEq(inbox.lastOrigin(), 0);
        vm.assertEq(inbox.lastBatchTime(), START_TIME);
        vm.assertEq(inbox.content(), CHAIN_CONFIG_HASH);
    }

    function test_constructor_badConfig_reverts() public {
        badConfigReverts(bytes32(0), portal, BATCHER, defaultInboxConfig());
        badConfigReverts(CHAIN_CONFIG_HASH, IPortal(payable(USER)), BATCHER, defaultInboxConfig());
        badConfigReverts(CHAIN_CONFIG_HASH, portal, address(0), defaultInboxConfig());
        InboxConfig memory config = defaultInboxConfig();
        config.depositsPerEntryMax = 0;
        badConfigReverts(CHAIN_CONFIG_HASH, portal, BATCHER, config);
        config = defaultInboxConfig();
        config.originAgeMax = 0;
        badConfigReverts(CHAIN_CONFIG_HASH, portal, BATCHER, config);
        config = defaultInboxConfig();
        config.entryBytesMax = 0;
        badConfigReverts(CHAIN_CONFIG_HASH, portal, BATCHER, config);
        config = defaultInboxConfig();
        config.entryBlobsMax = 0;
        badConfigReverts(CHAIN_CONFIG_HASH, portal, BATCHER, config);
        config = defaultInboxConfig();
        config.entriesPerL1BlockMax = 0;
        badConfigReverts(CHAIN_CONFIG_HASH, portal, BATCHER, config);
    }

    function badConfigReverts(bytes32 hash, IPortal portal_, address batcher, InboxConfig memory config)
        private
    {
        vm.expectRevert(IInbox.Inbox_BadConfig.selector);
        new Inbox(hash, portal_, batcher, config);
    }

    // --- append: what it records

    function test_append_recordsTheL1Block() public {
        deposit(2);
        advanceL1(7);
        vm.fee(31 gwei);
        setBlobBaseFee(54_321);
        vm.setBlockhash(block.number - 1, keccak256("parent"));
        bytes32 before = lastAcc();
        vm.recordLogs();
        append(2, 0, "batch");
        Recorded memory r = recorded();
        Entry memory entry = r.entry;

        vm.assertEq(r.prevAcc, before);
        vm.assertEq(inbox.acc(1), r.acc);
        vm.assertEq(entry.index, 1);
        vm.assertEq(uint256(entry.dataKind), 1);
        vm.assertEq(entry.dataHash, keccak256(abi.encode(keccak256("batch"))));
        vm.assertEq(entry.depositAcc, portal.depositAcc(2));
        vm.assertEq(entry.depositCount, 2);
        vm.assertEq(entry.l1BlockNumber, START_BLOCK + 7);
        vm.assertEq(entry.l1Time, START_TIME + 84);
        vm.assertEq(entry.l1BaseFee, 31 gwei);
        vm.assertEq(entry.l1BlobBaseFee, 54_321);
        vm.assertEq(entry.l1ParentHash, keccak256("parent"));
        vm.assertEq(entry.origin, 0);
        vm.assertEq(entry.originAcc, inbox.acc(0));
        vm.assertEq(entry.offchainTime, 0);
        vm.assertEq(r.content, inbox.content());
        vm.assertEq(inbox.entryCount(), 2);
        vm.assertEq(inbox.consumedDeposits(), 2);
        vm.assertEq(inbox.lastBatchTime(), START_TIME + 84);
    }

    function testFuzz_append_dataHash(bytes calldata data) public {
        vm.recordLogs();
        append(0, 0, data);
        vm.assertEq(recorded().entry.dataHash, dataHashOf(data));
    }

    function test_append_sameBatchTwice_givesDifferentAcc() public {
        append(0, 0, "batch");
        bytes32 first = lastAcc();
        append(0, 0, "batch");
        vm.assertNotEq(first, lastAcc());
    }

    // --- append: caller

    function test_append_notBatcher_reverts() public {
        bytes32 content = inbox.content();
        Item[] memory items = only(itemOf(KIND_CALLDATA, 0, 0, ""));
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_NotBatcher.selector, USER));
        vm.prank(USER, USER);
        inbox.append(content, items, new bytes[](0));
    }

    function test_append_notOutermost_reverts() public {
        bytes32 content = inbox.content();
        Item[] memory items = only(itemOf(KIND_CALLDATA, 0, 0, ""));
        vm.expectRevert(IInbox.Inbox_NotTopLevel.selector);
        vm.prank(BATCHER, USER);
        inbox.append(content, items, new bytes[](0));
    }

    function test_append_throughContract_reverts() public {
        Relay relay = new Relay();
        bytes memory call = appendCall(inbox.content(), only(itemOf(KIND_CALLDATA, 0, 0, "")));
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_NotBatcher.selector, address(relay)));
        vm.prank(BATCHER, BATCHER);
        relay.relay(address(inbox), call);
    }

    function test_append_batcherWithCode_reverts() public {
        vm.etch(BATCHER, abi.encodePacked(hex"ef0100", USER));
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_NotTopLevel.selector), itemOf(KIND_CALLDATA, 0, 0, "")
        );
    }

    // --- append: data

    function test_append_dataTooLong_reverts() public {
        append(0, 0, pattern(ENTRY_BYTES_MAX));
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_DataTooLong.selector, ENTRY_BYTES_MAX + 1, ENTRY_BYTES_MAX),
            itemOf(KIND_CALLDATA, 0, 0, pattern(ENTRY_BYTES_MAX + 1))
        );
    }

    function testFuzz_append_unknownKind_reverts(uint8 kind) public {
        if (kind == KIND_CALLDATA || kind == KIND_BLOBS) return;
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_UnknownKind.selector, kind), itemOf(kind, 0, 0, hex"01")
        );
    }

    function test_append_signatures_revert() public {
        bytes32 content = inbox.content();
        Item[] memory items = only(itemOf(KIND_CALLDATA, 0, 0, ""));
        bytes[] memory signatures = new bytes[](2);
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_UnexpectedSignatures.selector, 2));
        vm.prank(BATCHER, BATCHER);
        inbox.append(content, items, signatures);
    }

    // --- append: deposits

    function test_append_wrongDepositAcc_reverts() public {
        deposit(2);
        Item memory item_ = itemOf(KIND_CALLDATA, 2, 0, "");
        bytes32 right = item_.depositAcc;
        item_.depositAcc = portal.depositAcc(1);
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_WrongDepositAcc.selector, item_.depositAcc, right), item_
        );
        // The item's own count must fit, even if the entry consumes more.
        deposit(DEPOSITS_PER_ENTRY_MAX);
        append(3, 0, "");
        item_ = itemOf(KIND_CALLDATA, 2, 0, "");
        item_.depositAcc = portal.depositAcc(3);
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_WrongDepositAcc.selector, item_.depositAcc, right), item_
        );
    }

    function test_append_depositsNotQueued_reverts() public {
        deposit(2);
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_DepositsNotQueued.selector, 3, 2),
            itemOf(KIND_CALLDATA, 3, 0, "")
        );
    }

    /// @dev An item sent before a forced entry names fewer deposits than are consumed.
    function test_append_depositCountBelowConsumed_recordsConsumed() public {
        deposit(3);
        append(3, 0, "");
        for (uint64 count; count <= 3; ++count) {
            appendRecords(count, 0, 3);
        }
    }

    function test_append_depositCountAboveTheLimit_recordsTheLimit() public {
        deposit(2 * DEPOSITS_PER_ENTRY_MAX + 1);
        appendRecords(DEPOSITS_PER_ENTRY_MAX, 0, DEPOSITS_PER_ENTRY_MAX);
        appendRecords(2 * DEPOSITS_PER_ENTRY_MAX + 1, 0, 2 * DEPOSITS_PER_ENTRY_MAX);
        appendRecords(2 * DEPOSITS_PER_ENTRY_MAX + 1, 0, 2 * DEPOSITS_PER_ENTRY_MAX + 1);
    }

    function test_append_overdueDeposits_areTakenToo() public {
        deposit(2);
        vm.warp(START_TIME + 1);
        deposit(1);
        vm.warp(START_TIME + FORCE_WINDOW - 1);
        appendRecords(0, 0, 0);
        vm.warp(START_TIME + FORCE_WINDOW);
        appendRecords(0, 0, 2);
        appendRecords(0, 0, 2);
        vm.warp(START_TIME + FORCE_WINDOW + 1);
        appendRecords(1, 0, 3);
    }

    function test_append_overdueDeposits_behindTheItemsOwn() public {
        deposit(3);
        vm.warp(START_TIME + FORCE_WINDOW);
        deposit(2);
        appendRecords(1, 0, 3);
        appendRecords(4, 0, 4);
    }

    function test_append_overdueDeposits_upToTheLimit() public {
        deposit(2 * DEPOSITS_PER_ENTRY_MAX + 1);
        vm.warp(START_TIME + FORCE_WINDOW);
        appendRecords(1, 0, DEPOSITS_PER_ENTRY_MAX);
        appendRecords(0, 0, 2 * DEPOSITS_PER_ENTRY_MAX);
        appendRecords(0, 0, 2 * DEPOSITS_PER_ENTRY_MAX + 1);
    }

    /// @dev For every count that an item may name, the entry consumes what the rules say.
    function testFuzz_append_depositCount(uint8 early, uint8 late, uint8 before, uint8 named) public {
        uint256 overdue = bound(early, 0, 11);
        uint256 queued = overdue + bound(late, 0, 5);
        deposit(overdue);
        vm.warp(START_TIME + 1);
        deposit(queued - overdue);
        uint256 consumed = bound(before, 0, min(queued, DEPOSITS_PER_ENTRY_MAX));
        append(uint64(consumed), 0, "");
        vm.warp(START_TIME + FORCE_WINDOW);

        uint256 count = bound(named, 0, queued);
        uint256 limit = consumed + DEPOSITS_PER_ENTRY_MAX;
        uint256 expected = max(max(count, consumed), overdue);
        appendRecords(uint64(count), 0, uint64(min(expected, limit)));
    }

    function min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    function max(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }

    function test_append_endlessForceWindow_neverOverdue() public {
        InboxConfig memory config = defaultInboxConfig();
        config.forceWindow = type(uint64).max;
        config.depositsPerEntryMax = type(uint64).max;
        inbox = new Inbox(CHAIN_CONFIG_HASH, portal, BATCHER, config);
        deposit(2);
        append(1, 0, "");
        appendRecords(0, 0, 1);
        vm.expectRevert(IInbox.Inbox_NothingOverdue.selector);
        inbox.forceInclude();
    }

    /// @dev Appends and checks the deposits that the entry consumes; the content has the item's own.
    function appendRecords(uint64 depositCount, uint64 origin, uint64 recordedCount) private {
        Item memory item_ = itemOf(KIND_CALLDATA, depositCount, origin, "batch");
        bytes32 content = extended(inbox.content(), item_, dataHashOf("batch"));
        vm.recordLogs();
        append(only(item_));
        Recorded memory r = recorded();
        vm.assertEq(r.entry.depositCount, recordedCount);
        vm.assertEq(r.entry.depositAcc, portal.depositAcc(recordedCount));
        vm.assertEq(inbox.consumedDeposits(), recordedCount);
        vm.assertEq(r.content, content);
    }

    // --- append: origin

    function test_append_unknownOrigin_reverts() public {
        Item memory item_ = itemOf(KIND_CALLDATA, 0, 1, "");
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_WrongOriginAcc.selector, 1, bytes32(0), bytes32(0)), item_
        );
        item_.originAcc = lastAcc();
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_WrongOriginAcc.selector, 1, lastAcc(), bytes32(0)), item_
        );
        item_.origin = type(uint64).max;
        appendReverts(
            abi.encodeWithSelector(
                IInbox.Inbox_WrongOriginAcc.selector, type(uint64).max, lastAcc(), bytes32(0)
            ),
            item_
        );
    }

    function test_append_wrongOriginAcc_reverts() public {
        appendEmpty();
        Item memory item_ = itemOf(KIND_CALLDATA, 0, 0, "");
        (bytes32 right, bytes32 wrong) = (item_.originAcc, lastAcc());
        item_.originAcc = wrong;
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_WrongOriginAcc.selector, 0, wrong, right), item_);
        item_.originAcc = 0;
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_WrongOriginAcc.selector, 0, bytes32(0), right), item_
        );
    }

    /// @dev An entry records the later one of the item's origin and the last entry's.
    function test_append_originBeforeTheLast_recordsTheLast() public {
        appendEmpty();
        appendEmpty();
        vm.assertEq(inbox.lastOrigin(), 1);
        for (uint64 origin; origin < 4; ++origin) {
            Item memory item_ = itemOf(KIND_CALLDATA, 0, origin, "batch");
            bytes32 content = extended(inbox.content(), item_, dataHashOf("batch"));
            uint64 expected = origin < 1 ? 1 : origin;
            vm.recordLogs();
            append(only(item_));
            Recorded memory r = recorded();
            vm.assertEq(r.entry.origin, expected);
            vm.assertEq(r.entry.originAcc, inbox.acc(expected));
            vm.assertEq(inbox.lastOrigin(), expected);
            vm.assertEq(r.content, content);
        }
    }

    // --- forceInclude

    function test_forceInclude_nothingOverdue_reverts() public {
        vm.expectRevert(IInbox.Inbox_NothingOverdue.selector);
        inbox.forceInclude();
        deposit(1);
        vm.warp(START_TIME + FORCE_WINDOW - 1);
        vm.expectRevert(IInbox.Inbox_NothingOverdue.selector);
        inbox.forceInclude();
        append(1, 0, "");
        vm.warp(START_TIME + FORCE_WINDOW);
        vm.expectRevert(IInbox.Inbox_NothingOverdue.selector);
        inbox.forceInclude();
    }

    function test_forceInclude_recordsAnEntryWithoutData() public {
        append(0, 0, "");
        append(0, 1, "");
        deposit(3);
        vm.warp(START_TIME + FORCE_WINDOW);
        (bytes32 before, bytes32 content) = (lastAcc(), inbox.content());
        vm.recordLogs();
        vm.prank(USER, USER);
        inbox.forceInclude();
        Recorded memory r = recorded();

        vm.assertEq(r.prevAcc, before);
        vm.assertEq(r.entry.index, 3);
        vm.assertEq(uint256(r.entry.dataKind), 0);
        vm.assertEq(r.entry.dataHash, bytes32(0));
        vm.assertEq(r.entry.depositCount, 3);
        vm.assertEq(r.entry.depositAcc, portal.depositAcc(3));
        vm.assertEq(r.entry.origin, 1);
        vm.assertEq(r.entry.originAcc, inbox.acc(1));
        vm.assertEq(r.entry.offchainTime, 0);
        vm.assertEq(inbox.lastOrigin(), 1);
        vm.assertEq(r.content, content);
        vm.assertEq(inbox.content(), content);
    }

    /// @dev A forced entry is no batch: the age of the last batch decides on its origin.
    function test_forceInclude_origin_untilTheLastBatchIsTooOld() public {
        append(0, 0, "");
        append(0, 0, "");
        deposit(DEPOSITS_PER_ENTRY_MAX + 1);
        vm.warp(START_TIME + ORIGIN_AGE_MAX);
        forcedOrigin(0);
        vm.warp(START_TIME + ORIGIN_AGE_MAX + 1);
        forcedOrigin(3);
        vm.assertEq(inbox.lastBatchTime(), START_TIME);

        deposit(DEPOSITS_PER_ENTRY_MAX + 1);
        vm.warp(START_TIME + 3 * ORIGIN_AGE_MAX);
        forcedOrigin(4);
        // A batch makes its origin young again.
        append(0, 0, "");
        vm.assertEq(inbox.lastOrigin(), 4);
        vm.assertEq(inbox.lastBatchTime(), START_TIME + 3 * ORIGIN_AGE_MAX);
    }

    /// @dev Before the first batch, the age of the deployment decides.
    function test_forceInclude_beforeTheFirstBatch() public {
        deposit(1);
        vm.warp(START_TIME + ORIGIN_AGE_MAX);
        forcedOrigin(0);
        deposit(1);
        vm.warp(START_TIME + ORIGIN_AGE_MAX + FORCE_WINDOW);
        forcedOrigin(1);
    }

    function forcedOrigin(uint64 expected) private {
        vm.recordLogs();
        inbox.forceInclude();
        Recorded memory r = recorded();
        vm.assertEq(r.entry.origin, expected);
        vm.assertEq(r.entry.originAcc, inbox.acc(expected));
        vm.assertEq(inbox.lastOrigin(), expected);
    }

    /// @dev min(overdue, max): four deposits of different ages, one of them not overdue, and a limit of four.
    function testFuzz_forceInclude_consumesOverdueDeposits(uint8 early, uint8 late, uint8 before) public {
        uint256 overdue = bound(early, 1, 11);
        uint256 fresh = bound(late, 0, 5);
        uint256 consumed = bound(before, 0, overdue < 4 ? overdue - 1 : 3);
        deposit(overdue);
        append(uint64(consumed), 0, "");
        vm.warp(START_TIME + 1);
        deposit(fresh);
        vm.warp(START_TIME + FORCE_WINDOW);

        while (consumed < overdue) {
            inbox.forceInclude();
            uint256 left = overdue - consumed;
            consumed += left < DEPOSITS_PER_ENTRY_MAX ? left : DEPOSITS_PER_ENTRY_MAX;
            vm.assertEq(inbox.consumedDeposits(), consumed);
        }
        vm.expectRevert(IInbox.Inbox_NothingOverdue.selector);
        inbox.forceInclude();
    }

    /// @dev A batch that was built before a forced entry lands behind it.
    function test_forceInclude_batcherContinues() public {
        append(0, 0, "");
        deposit(2);
        bytes memory built = appendCall(inbox.content(), only(itemOf(KIND_CALLDATA, 1, 0, "built before")));
        vm.warp(START_TIME + ORIGIN_AGE_MAX + 1);
        inbox.forceInclude();
        vm.assertEq(inbox.lastOrigin(), 1);

        vm.recordLogs();
        vm.prank(BATCHER, BATCHER);
        (bool ok,) = address(inbox).call(built);
        vm.assertTrue(ok);
        Recorded memory r = recorded();
        vm.assertEq(r.entry.index, 3);
        vm.assertEq(r.entry.origin, 1);
        vm.assertEq(r.entry.depositCount, 2);
        vm.assertEq(r.entry.dataHash, dataHashOf("built before"));
    }

    // --- views

    function test_acc_unknownEntry_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_UnknownEntry.selector, 1, 1));
        inbox.acc(1);
    }

    function testFuzz_acc_everyEntryIsKept(uint8 count) public {
        bytes32[] memory accs = new bytes32[](bound(count, 1, 20));
        for (uint256 i; i < accs.length; ++i) {
            accs[i] = lastAcc();
            advanceL1(1);
            appendEmpty();
        }
        for (uint64 i; i < accs.length; ++i) {
            vm.assertEq(inbox.acc(i), accs[i]);
        }
    }
}
