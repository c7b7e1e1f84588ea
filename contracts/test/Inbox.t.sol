// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Inbox } from "../src/L1/Inbox.sol";
import { Entry, IInbox, InboxConfig } from "../src/interfaces/IInbox.sol";
import { IPortal } from "../src/interfaces/IPortal.sol";
import { Relay } from "./utils/Fakes.sol";
import { InboxFixture } from "./utils/InboxFixture.sol";
import { Log } from "./utils/Vm.sol";

contract InboxTest is InboxFixture {
    /// @dev The entry in the only event of the last call.
    function recorded() private returns (bytes32 acc, bytes32 prevAcc, Entry memory entry) {
        Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1);
        vm.assertEq(logs[0].topics[0], IInbox.EntryAppended.selector);
        acc = logs[0].topics[2];
        (prevAcc, entry) = abi.decode(logs[0].data, (bytes32, Entry));
        vm.assertEq(logs[0].topics[1], bytes32(uint256(entry.index)));
    }

    // --- constructor

    function test_constructor_recordsEntryZero() public {
        vm.recordLogs();
        inbox = new Inbox(CHAIN_CONFIG_HASH, portal, BATCHER, defaultInboxConfig());
        (bytes32 acc, bytes32 prevAcc, Entry memory entry) = recorded();

        vm.assertEq(prevAcc, CHAIN_CONFIG_HASH);
        vm.assertEq(acc, keccak256(abi.encode(CHAIN_CONFIG_HASH, entry)));
        vm.assertEq(inbox.acc(0), acc);
        vm.assertEq(inbox.entryCount(), 1);
        vm.assertEq(entry.index, 0);
        vm.assertEq(uint256(entry.dataKind), 0);
        vm.assertEq(entry.dataHash, bytes32(0));
        vm.assertEq(entry.depositAcc, bytes32(0));
        vm.assertEq(entry.depositCount, 0);
        vm.assertEq(entry.l1BlockNumber, START_BLOCK);
        vm.assertEq(entry.l1Time, START_TIME);
        vm.assertEq(entry.origin, 0);
    }

    function test_constructor_storesConfiguration() public view {
        vm.assertEq(inbox.chainConfigHash(), CHAIN_CONFIG_HASH);
        vm.assertEq(address(inbox.portal()), address(portal));
        vm.assertEq(inbox.batcher(), BATCHER);
        vm.assertEq(inbox.forceWindow(), FORCE_WINDOW);
        vm.assertEq(inbox.depositsPerEntryMax(), DEPOSITS_PER_ENTRY_MAX);
        vm.assertEq(inbox.originLagMax(), ORIGIN_LAG_MAX);
        vm.assertEq(inbox.entryBytesMax(), ENTRY_BYTES_MAX);
        vm.assertEq(inbox.consumedDeposits(), 0);
        vm.assertEq(inbox.lastOrigin(), 0);
    }

    function test_constructor_badConfig_reverts() public {
        badConfigReverts(bytes32(0), portal, BATCHER, defaultInboxConfig());
        badConfigReverts(CHAIN_CONFIG_HASH, IPortal(payable(USER)), BATCHER, defaultInboxConfig());
        badConfigReverts(CHAIN_CONFIG_HASH, portal, address(0), defaultInboxConfig());
        InboxConfig memory config = defaultInboxConfig();
        config.depositsPerEntryMax = 0;
        badConfigReverts(CHAIN_CONFIG_HASH, portal, BATCHER, config);
        config = defaultInboxConfig();
        config.originLagMax = 0;
        badConfigReverts(CHAIN_CONFIG_HASH, portal, BATCHER, config);
        config = defaultInboxConfig();
        config.entryBytesMax = 0;
        badConfigReverts(CHAIN_CONFIG_HASH, portal, BATCHER, config);
    }

    function badConfigReverts(bytes32 hash, IPortal portal_, address batcher, InboxConfig memory config)
        private
    {
        vm.expectRevert(IInbox.Inbox_BadConfig.selector);
        new Inbox(hash, portal_, batcher, config);
    }

    // --- append

    function test_append_recordsTheL1Block() public {
        deposit(2);
        advanceL1(7);
        vm.fee(31 gwei);
        setBlobBaseFee(54_321);
        vm.setBlockhash(block.number - 1, keccak256("parent"));
        bytes32 before = lastAcc();
        vm.recordLogs();
        append(2, 0, "batch");
        (bytes32 acc, bytes32 prevAcc, Entry memory entry) = recorded();

        vm.assertEq(prevAcc, before);
        vm.assertEq(acc, keccak256(abi.encode(before, entry)));
        vm.assertEq(inbox.acc(1), acc);
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
        vm.assertEq(inbox.entryCount(), 2);
        vm.assertEq(inbox.consumedDeposits(), 2);
    }

    function test_append_twice_reverts() public {
        bytes32 prevAcc = lastAcc();
        vm.prank(BATCHER, BATCHER);
        inbox.append(prevAcc, 0, 0, 0, "batch");

        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_WrongPrevAcc.selector, prevAcc, lastAcc()));
        vm.prank(BATCHER, BATCHER);
        inbox.append(prevAcc, 0, 0, 0, "batch");
        vm.assertEq(inbox.entryCount(), 2);
    }

    function test_append_sameBatchTwice_givesDifferentAcc() public {
        append(0, 0, "batch");
        bytes32 first = lastAcc();
        append(0, 0, "batch");
        vm.assertNotEq(first, lastAcc());
    }

    function test_append_notBatcher_reverts() public {
        bytes32 prevAcc = lastAcc();
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_NotBatcher.selector, USER));
        vm.prank(USER, USER);
        inbox.append(prevAcc, 0, 0, 0, "");
    }

    function test_append_notOutermost_reverts() public {
        bytes32 prevAcc = lastAcc();
        vm.expectRevert(IInbox.Inbox_NotTopLevel.selector);
        vm.prank(BATCHER, USER);
        inbox.append(prevAcc, 0, 0, 0, "");
    }

    function test_append_throughContract_reverts() public {
        Relay relay = new Relay();
        bytes memory call = abi.encodeCall(inbox.append, (lastAcc(), 0, bytes32(0), 0, ""));
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_NotBatcher.selector, address(relay)));
        vm.prank(BATCHER, BATCHER);
        relay.relay(address(inbox), call);
    }

    function test_append_batcherWithCode_reverts() public {
        bytes32 prevAcc = lastAcc();
        vm.etch(BATCHER, abi.encodePacked(hex"ef0100", USER));
        vm.expectRevert(IInbox.Inbox_NotTopLevel.selector);
        vm.prank(BATCHER, BATCHER);
        inbox.append(prevAcc, 0, 0, 0, "");
    }

    function test_append_trailingCalldata_reverts() public {
        bytes memory call = abi.encodeCall(inbox.append, (lastAcc(), 0, bytes32(0), 0, "batch"));
        callReverts(IInbox.Inbox_NonCanonicalCalldata.selector, bytes.concat(call, hex"00"));
    }

    function test_append_unpaddedCalldata_reverts() public {
        bytes memory call =
            abi.encodePacked(inbox.append.selector, abi.encode(lastAcc(), 0, 0, 0, 5 * 32, 5), "batch");
        callReverts(IInbox.Inbox_NonCanonicalCalldata.selector, call);
    }

    function test_append_shiftedData_reverts() public {
        bytes memory call = abi.encodePacked(
            inbox.append.selector, abi.encode(lastAcc(), 0, 0, 0, 6 * 32, 0), abi.encode(5, bytes32("batch"))
        );
        callReverts(IInbox.Inbox_NonCanonicalCalldata.selector, call);
    }

    function callReverts(bytes4 selector, bytes memory call) private {
        vm.prank(BATCHER, BATCHER);
        (bool ok, bytes memory result) = address(inbox).call(call);
        vm.assertEq(ok, false);
        vm.assertEq(result, abi.encodePacked(selector));
    }

    function test_append_dataTooLong_reverts() public {
        append(0, 0, pattern(ENTRY_BYTES_MAX));
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_DataTooLong.selector, ENTRY_BYTES_MAX + 1, ENTRY_BYTES_MAX),
            0,
            0,
            pattern(ENTRY_BYTES_MAX + 1)
        );
    }

    function test_append_wrongDepositAcc_reverts() public {
        deposit(2);
        bytes32 prevAcc = lastAcc();
        bytes32 wrong = portal.depositAcc(1);
        bytes32 right = portal.depositAcc(2);
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_WrongDepositAcc.selector, wrong, right));
        vm.prank(BATCHER, BATCHER);
        inbox.append(prevAcc, 2, wrong, 0, "");
    }

    function test_append_depositCountGoesBack_reverts() public {
        deposit(2);
        append(2, 0, "");
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_BadDepositCount.selector, 1, 2, 2), 1, 0, "");
    }

    function test_append_depositCountBeyondQueue_reverts() public {
        deposit(2);
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_BadDepositCount.selector, 3, 0, 2), 3, 0, "");
    }

    function test_append_tooManyDeposits_reverts() public {
        deposit(DEPOSITS_PER_ENTRY_MAX + 1);
        appendReverts(
            abi.encodeWithSelector(
                IInbox.Inbox_TooManyDeposits.selector, DEPOSITS_PER_ENTRY_MAX + 1, DEPOSITS_PER_ENTRY_MAX
            ),
            DEPOSITS_PER_ENTRY_MAX + 1,
            0,
            ""
        );
        append(DEPOSITS_PER_ENTRY_MAX, 0, "");
    }

    function test_append_originGoesBack_reverts() public {
        append(0, 0, "");
        append(0, 1, "");
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_OriginGoesBack.selector, 0, 1), 0, 0, "");
    }

    function test_append_originNotEarlier_reverts() public {
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_OriginNotEarlier.selector, 1, 1), 0, 1, "");
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_OriginNotEarlier.selector, 2, 1), 0, 2, "");
    }

    function test_append_originTooOld_reverts() public {
        for (uint256 i; i < ORIGIN_LAG_MAX; ++i) {
            append(0, 0, "");
        }
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_OriginTooOld.selector, 0, ORIGIN_LAG_MAX + 1, ORIGIN_LAG_MAX),
            0,
            0,
            ""
        );
        append(0, 1, "");
    }

    function test_append_overdueDepositLeftOut_reverts() public {
        deposit(2);
        vm.warp(START_TIME + FORCE_WINDOW - 1);
        append(0, 0, "still in time");
        vm.warp(START_TIME + FORCE_WINDOW);
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_OverdueDepositLeftOut.selector, 0), 0, 0, "");
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_OverdueDepositLeftOut.selector, 1), 1, 0, "");
        append(2, 0, "");
    }

    function test_append_onlyOverdueDepositsNeeded() public {
        deposit(2);
        vm.warp(START_TIME + FORCE_WINDOW);
        deposit(1);
        append(2, 0, "");
        vm.assertEq(inbox.consumedDeposits(), 2);
    }

    function test_append_fullEntryMayLeaveOverdueDeposits() public {
        deposit(DEPOSITS_PER_ENTRY_MAX + 1);
        vm.warp(START_TIME + FORCE_WINDOW);
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_OverdueDepositLeftOut.selector, DEPOSITS_PER_ENTRY_MAX - 1),
            DEPOSITS_PER_ENTRY_MAX - 1,
            0,
            ""
        );
        append(DEPOSITS_PER_ENTRY_MAX, 0, "");
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_OverdueDepositLeftOut.selector, DEPOSITS_PER_ENTRY_MAX),
            DEPOSITS_PER_ENTRY_MAX,
            0,
            ""
        );
    }

    function test_append_endlessForceWindow_neverOverdue() public {
        InboxConfig memory config = defaultInboxConfig();
        config.forceWindow = type(uint64).max;
        inbox = new Inbox(CHAIN_CONFIG_HASH, portal, BATCHER, config);
        deposit(1);
        append(0, 0, "");
        vm.expectRevert(IInbox.Inbox_NothingOverdue.selector);
        inbox.forceInclude();
    }

    function testFuzz_append_dataHash(bytes calldata data) public {
        vm.recordLogs();
        append(0, 0, data);
        (,, Entry memory entry) = recorded();
        bytes memory hashes = data.length == 0 ? bytes("") : abi.encode(keccak256(data));
        vm.assertEq(entry.dataHash, keccak256(hashes));
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
        deposit(3);
        vm.warp(START_TIME + FORCE_WINDOW);
        bytes32 before = lastAcc();
        vm.recordLogs();
        vm.prank(USER, USER);
        inbox.forceInclude();
        (bytes32 acc, bytes32 prevAcc, Entry memory entry) = recorded();

        vm.assertEq(prevAcc, before);
        vm.assertEq(acc, keccak256(abi.encode(before, entry)));
        vm.assertEq(entry.index, 2);
        vm.assertEq(uint256(entry.dataKind), 0);
        vm.assertEq(entry.dataHash, bytes32(0));
        vm.assertEq(entry.depositCount, 3);
        vm.assertEq(entry.depositAcc, portal.depositAcc(3));
        vm.assertEq(entry.origin, 1);
        vm.assertEq(inbox.lastOrigin(), 1);
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

    function test_forceInclude_batcherContinues() public {
        deposit(1);
        vm.warp(START_TIME + FORCE_WINDOW);
        bytes32 seen = lastAcc();
        inbox.forceInclude();

        bytes32 found = lastAcc();
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_WrongPrevAcc.selector, seen, found));
        vm.prank(BATCHER, BATCHER);
        inbox.append(seen, 0, 0, 0, "built before");
        append(1, 1, "built again");
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
