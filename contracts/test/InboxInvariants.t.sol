// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Inbox } from "../src/L1/Inbox.sol";
import { Portal } from "../src/L1/Portal.sol";
import { Entry, IInbox } from "../src/interfaces/IInbox.sol";
import { InboxFixture } from "./utils/InboxFixture.sol";
import { FuzzSelector, Log } from "./utils/Vm.sol";

/// @notice Random actions of users, the batcher and time. It keeps its own copy of the queue and the entries.
contract InboxActors is InboxFixture {
    Entry[] private _entries;
    uint256[] private _times;
    bytes32[] private _depositAccs;
    /// @dev Whether an entry ever omitted an overdue deposit for which it had room.
    bool public leftOut;

    function setUp() public override {
        vm.recordLogs();
        super.setUp();
        keepEntry();
        _depositAccs.push(bytes32(0));
    }

    function parties() external view returns (Portal, Inbox) {
        return (portal, inbox);
    }

    function makeDeposit(uint256 value, uint16 length) external {
        value = bound(value, 0, 1e20);
        bytes memory data = pattern(length % 100);
        vm.prank(USER, USER);
        portal.depositTransaction{ value: value }(USER, value, 100_000, false, data);
        bytes memory opaqueData = abi.encodePacked(value, value, uint64(100_000), false, data);
        uint256 index = _times.length;
        _depositAccs.push(
            keccak256(
                abi.encode(
                    _depositAccs[index],
                    uint64(index),
                    uint64(block.number),
                    USER,
                    USER,
                    uint256(0),
                    keccak256(opaqueData)
                )
            )
        );
        _times.push(block.timestamp);
    }

    function appendBatch(uint256 countSeed, uint256 originSeed, bytes calldata data) external {
        uint256 consumed = inbox.consumedDeposits();
        uint256 most = _times.length - consumed;
        if (most > DEPOSITS_PER_ENTRY_MAX) most = DEPOSITS_PER_ENTRY_MAX;
        uint256 least;
        while (least < most && overdue(consumed + least)) ++least;
        uint256 index = inbox.entryCount();
        uint256 oldest = index > ORIGIN_LAG_MAX ? index - ORIGIN_LAG_MAX : 0;
        if (oldest < inbox.lastOrigin()) oldest = inbox.lastOrigin();
        vm.recordLogs();
        append(uint64(consumed + bound(countSeed, least, most)), bound64(originSeed, oldest, index - 1), data);
        keepEntry();
    }

    /// @dev The batcher tries to omit deposits. The call must revert if they are overdue.
    function appendWithoutDeposits() external {
        uint64 consumed = inbox.consumedDeposits();
        bool mustFail = consumed < _times.length && overdue(consumed);
        bytes memory call = abi.encodeCall(
            inbox.append, (lastAcc(), consumed, portal.depositAcc(consumed), inbox.entryCount() - 1, "")
        );
        vm.recordLogs();
        vm.prank(BATCHER, BATCHER);
        (bool ok,) = address(inbox).call(call);
        if (ok) keepEntry();
        if (ok == mustFail) leftOut = true;
    }

    function forceInclude() external {
        uint256 consumed = inbox.consumedDeposits();
        vm.recordLogs();
        (bool ok,) = address(inbox).call(abi.encodeCall(inbox.forceInclude, ()));
        if (ok) keepEntry();
        vm.assertEq(ok, consumed < _times.length && overdue(consumed));
    }

    function wait(uint256 secs) external {
        vm.roll(block.number + 1);
        vm.warp(block.timestamp + bound(secs, 0, FORCE_WINDOW));
    }

    function overdue(uint256 index) private view returns (bool) {
        return _times[index] + FORCE_WINDOW <= block.timestamp;
    }

    function keepEntry() private {
        Log[] memory logs = vm.getRecordedLogs();
        Log memory last = logs[logs.length - 1];
        vm.assertEq(last.topics[0], IInbox.EntryAppended.selector);
        (, Entry memory entry) = abi.decode(last.data, (bytes32, Entry));
        _entries.push(entry);
    }

    function entries() external view returns (Entry[] memory) {
        return _entries;
    }

    function depositAccs() external view returns (bytes32[] memory) {
        return _depositAccs;
    }
}

contract InboxInvariants is InboxFixture {
    InboxActors private actors;

    function setUp() public override {
        actors = new InboxActors();
        actors.setUp();
        (portal, inbox) = actors.parties();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actors);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector({ addr: address(actors), selectors: new bytes4[](5) });
        targets[0].selectors[0] = InboxActors.makeDeposit.selector;
        targets[0].selectors[1] = InboxActors.appendBatch.selector;
        targets[0].selectors[2] = InboxActors.appendWithoutDeposits.selector;
        targets[0].selectors[3] = InboxActors.forceInclude.selector;
        targets[0].selectors[4] = InboxActors.wait.selector;
    }

    /// @dev Events alone rebuild every accumulator.
    function invariant_entries_areAHashChain() public view {
        Entry[] memory entries = actors.entries();
        vm.assertEq(inbox.entryCount(), entries.length);
        bytes32 acc = CHAIN_CONFIG_HASH;
        for (uint64 k; k < entries.length; ++k) {
            vm.assertEq(entries[k].index, k);
            acc = keccak256(abi.encode(acc, entries[k]));
            vm.assertEq(inbox.acc(k), acc);
        }
    }

    /// @dev Each entry consumes the next deposits, at most depositsPerEntryMax, and records the queue's
    ///      accumulator.
    function invariant_deposits_areTakenInOrder() public view {
        Entry[] memory entries = actors.entries();
        bytes32[] memory depositAccs = actors.depositAccs();
        vm.assertEq(portal.depositCount(), depositAccs.length - 1);
        for (uint256 k = 1; k < entries.length; ++k) {
            vm.assertGe(entries[k].depositCount, entries[k - 1].depositCount);
            vm.assertLe(entries[k].depositCount - entries[k - 1].depositCount, DEPOSITS_PER_ENTRY_MAX);
            vm.assertEq(entries[k].depositAcc, depositAccs[entries[k].depositCount]);
        }
        vm.assertEq(inbox.consumedDeposits(), entries[entries.length - 1].depositCount);
    }

    /// @dev Origins never go back, are earlier than their entry, and are at most originLagMax behind.
    function invariant_origins_goForward() public view {
        Entry[] memory entries = actors.entries();
        for (uint256 k = 1; k < entries.length; ++k) {
            vm.assertGe(entries[k].origin, entries[k - 1].origin);
            vm.assertGt(k, entries[k].origin);
            vm.assertLe(k - entries[k].origin, ORIGIN_LAG_MAX);
        }
    }

    /// @dev The batcher can omit a deposit exactly as long as it is not overdue.
    function invariant_overdueDeposits_cannotBeLeftOut() public view {
        vm.assertEq(actors.leftOut(), false);
    }
}
