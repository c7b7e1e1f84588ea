// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Inbox } from "../src/L1/Inbox.sol";
import { Portal } from "../src/L1/Portal.sol";
import { Entry, Item } from "../src/interfaces/IInbox.sol";
import { InboxFixture } from "./utils/InboxFixture.sol";
import { FuzzSelector, Log } from "./utils/Vm.sol";

/// @notice What an entry recorded, and the item that it was made of.
struct Kept {
    Entry entry;
    bytes32 acc;
    bytes32 content;
    /// The item's own deposit count and origin; zero for entries without data.
    uint64 namedCount;
    uint64 namedOrigin;
}

/// @notice Random actions of users, of an honest batcher with many calls in flight, of adversaries and of time.
///         The contract keeps its own copy of the queue, the entries and the calls.
contract InboxActors is InboxFixture {
    uint256 private constant IN_FLIGHT_MAX = 12;
    uint256 private constant ITEMS_MAX = 3;

    /// @dev A call that the batcher made with what it saw then, and what it should record.
    struct Call {
        bytes input;
        Item[] items;
        bytes32[] dataHashes;
        bytes32[] blobHashes;
    }

    Kept[] private _kept;
    uint256[] private _times;
    bytes32[] private _depositAccs;
    Call[] private _calls;
    /// @dev Calls that landed; the others are in flight.
    uint256 private _landed;
    /// @dev The content after all calls, those in flight included.
    bytes32 private _contentAhead = CHAIN_CONFIG_HASH;
    /// @dev The contents after each item that landed.
    bytes32[] private _contents;

    /// @dev Honest calls that reverted, calls of adversaries that did not, and forced entries that did what they
    ///      should not.
    uint256 public honestReverts;
    uint256 public adversarySuccesses;
    uint256 public wrongForced;

    function setUp() public override {
        vm.recordLogs();
        super.setUp();
        keep(0, new Item[](0));
        _depositAccs.push(bytes32(0));
    }

    function parties() external view returns (Portal, Inbox) {
        return (portal, inbox);
    }

    // --- users

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

    function forceInclude() external {
        uint256 consumed = inbox.consumedDeposits();
        vm.recordLogs();
        (bool ok,) = address(inbox).call(abi.encodeCall(inbox.forceInclude, ()));
        if (ok) keep(1, new Item[](1));
        if (ok != (consumed < _times.length && overdue(consumed))) ++wrongForced;
    }

    // --- the batcher

    /// @dev Makes a call with what the contracts hold now. It may be sent much later.
    function makeCall(uint256 seed, uint256 countSeed, uint256 originSeed, bytes calldata data) external {
        if (_calls.length - _landed == IN_FLIGHT_MAX) return;
        Call storage call = _calls.push();
        uint256 count = bound(seed, 1, ITEMS_MAX);
        Item[] memory items = new Item[](count);
        bytes32 content = _contentAhead;
        for (uint256 i; i < count; ++i) {
            bool inBlobs = uint256(keccak256(abi.encode(seed, i))) % 2 == 0;
            items[i] = itemOf(
                inBlobs ? KIND_BLOBS : KIND_CALLDATA,
                bound64(countSeed, 0, _times.length),
                bound64(originSeed, 0, _kept.length - 1),
                inBlobs ? abi.encodePacked(uint8(bound(countSeed, 1, ENTRY_BLOBS_MAX))) : data
            );
            bytes32 dataHash = inBlobs ? addBlobs(call, seed, uint8(items[i].data[0])) : dataHashOf(data);
            call.items.push(items[i]);
            call.dataHashes.push(dataHash);
            content = extended(content, items[i], dataHash);
        }
        call.input = appendCall(_contentAhead, items);
        _contentAhead = content;
    }

    function addBlobs(Call storage call, uint256 seed, uint256 count) private returns (bytes32) {
        bytes memory hashes;
        for (uint256 i; i < count; ++i) {
            bytes32 hash = keccak256(abi.encode(seed, call.blobHashes.length));
            call.blobHashes.push(hash);
            hashes = bytes.concat(hashes, hash);
        }
        return keccak256(hashes);
    }

    /// @dev Sends the oldest call in flight. If this L1 block has no room for it, sends it again in the next one.
    function sendCall() external {
        if (_landed == _calls.length) return;
        Call storage call = _calls[_landed];
        uint256 inBlock;
        for (uint256 k = _kept.length; k != 0 && _kept[k - 1].entry.l1BlockNumber == block.number; --k) {
            if (_kept[k - 1].entry.dataKind != 0) ++inBlock;
        }
        bool fits = inBlock + call.items.length <= ENTRIES_PER_L1_BLOCK_MAX;

        vm.recordLogs();
        bool ok = send(call, BATCHER);
        if (!ok && !fits) {
            advanceL1(1);
            ok = send(call, BATCHER);
        }
        if (!ok) {
            ++honestReverts;
            return;
        }
        ++_landed;
        keep(call.items.length, call.items);
        bytes32 content = _contents.length == 0 ? CHAIN_CONFIG_HASH : _contents[_contents.length - 1];
        for (uint256 i; i < call.items.length; ++i) {
            content = extended(content, call.items[i], call.dataHashes[i]);
            _contents.push(content);
        }
    }

    function send(Call storage call, address sender) private returns (bool ok) {
        vm.blobhashes(call.blobHashes);
        vm.prank(sender, sender);
        (ok,) = address(inbox).call(call.input);
        vm.blobhashes(new bytes32[](0));
    }

    // --- adversaries

    /// @dev Somebody sends the batcher's call, or the batcher sends one that landed or that is not its turn.
    function sendWrongCall(uint256 seed, bool asBatcher) external {
        if (_calls.length == 0) return;
        uint256 place = bound(seed, 0, _calls.length - 1);
        if (asBatcher && place == _landed) return;
        if (send(_calls[place], asBatcher ? BATCHER : USER)) ++adversarySuccesses;
    }

    function wait(uint256 secs) external {
        vm.roll(block.number + 1);
        vm.warp(block.timestamp + bound(secs, 0, FORCE_WINDOW));
    }

    // --- copy

    function overdue(uint256 index) private view returns (bool) {
        return _times[index] + FORCE_WINDOW <= block.timestamp;
    }

    /// @dev Keeps what the last `count` events say; of entry 0 there is one event and no item.
    function keep(uint256 count, Item[] memory items) private {
        Log[] memory logs = vm.getRecordedLogs();
        if (count == 0) (logs[0], count) = (logs[logs.length - 1], 1);
        for (uint256 i; i < count; ++i) {
            Recorded memory r = decoded(logs[i]);
            Kept storage last = _kept.push();
            (last.entry, last.acc, last.content) = (r.entry, r.acc, r.content);
            if (items.length == 0) continue;
            (last.namedCount, last.namedOrigin) = (items[i].depositCount, items[i].origin);
        }
    }

    function kept() external view returns (Kept[] memory) {
        return _kept;
    }

    function contents() external view returns (bytes32[] memory) {
        return _contents;
    }

    function times() external view returns (uint256[] memory) {
        return _times;
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
        targets[0] = FuzzSelector({ addr: address(actors), selectors: new bytes4[](8) });
        targets[0].selectors[0] = InboxActors.makeDeposit.selector;
        targets[0].selectors[1] = InboxActors.makeCall.selector;
        targets[0].selectors[2] = InboxActors.sendCall.selector;
        targets[0].selectors[3] = InboxActors.forceInclude.selector;
        targets[0].selectors[4] = InboxActors.sendWrongCall.selector;
        targets[0].selectors[5] = InboxActors.wait.selector;
        // Repeats the actions that make progress, so that they occur more often.
        targets[0].selectors[6] = InboxActors.makeDeposit.selector;
        targets[0].selectors[7] = InboxActors.sendCall.selector;
    }

    /// @dev No call with honest inputs reverts, however old its inputs are.
    function invariant_honestAppends_neverRevert() public view {
        vm.assertEq(actors.honestReverts(), 0);
    }

    /// @dev Nobody but the batcher appends, and no call lands twice or out of turn.
    function invariant_otherAppends_revert() public view {
        vm.assertEq(actors.adversarySuccesses(), 0);
    }

    /// @dev Events alone rebuild every accumulator.
    function invariant_entries_areAHashChain() public view {
        Kept[] memory kept = actors.kept();
        vm.assertEq(inbox.entryCount(), kept.length);
        bytes32 acc = CHAIN_CONFIG_HASH;
        for (uint64 k; k < kept.length; ++k) {
            vm.assertEq(kept[k].entry.index, k);
            acc = keccak256(abi.encode(acc, kept[k].entry));
            vm.assertEq(kept[k].acc, acc);
            vm.assertEq(inbox.acc(k), acc);
        }
    }

    /// @dev Each item extends the content once, in order. Entries without data leave it.
    function invariant_content_isAHashChainOfTheItems() public view {
        Kept[] memory kept = actors.kept();
        bytes32[] memory contents = actors.contents();
        bytes32 content = CHAIN_CONFIG_HASH;
        uint256 landed;
        for (uint256 k; k < kept.length; ++k) {
            if (kept[k].entry.dataKind != 0) content = contents[landed++];
            vm.assertEq(kept[k].content, content);
        }
        vm.assertEq(landed, contents.length);
        vm.assertEq(inbox.content(), content);
    }

    /// @dev Each entry consumes the next deposits, at most depositsPerEntryMax, and records the queue's accumulator.
    ///      It takes as many as its item names and as are overdue.
    function invariant_deposits_areTakenInOrder() public view {
        Kept[] memory kept = actors.kept();
        bytes32[] memory depositAccs = actors.depositAccs();
        uint256[] memory times = actors.times();
        vm.assertEq(portal.depositCount(), times.length);
        uint256 consumed;
        uint256 overdueEnd;
        for (uint256 k = 1; k < kept.length; ++k) {
            Entry memory entry = kept[k].entry;
            while (overdueEnd < times.length && times[overdueEnd] + FORCE_WINDOW <= entry.l1Time) ++overdueEnd;
            uint256 expected = kept[k].namedCount > consumed ? kept[k].namedCount : consumed;
            if (overdueEnd > expected) expected = overdueEnd;
            uint256 limit = consumed + DEPOSITS_PER_ENTRY_MAX;
            if (expected > limit) expected = limit;
            vm.assertEq(entry.depositCount, expected);
            vm.assertEq(entry.depositAcc, depositAccs[expected]);
            consumed = expected;
        }
        vm.assertEq(inbox.consumedDeposits(), consumed);
    }

    /// @dev Origins never go back and are earlier than their entry, and each entry records its origin's accumulator.
    ///      A forced entry keeps the origin until the newest batch is too old.
    function invariant_origins_goForward() public view {
        Kept[] memory kept = actors.kept();
        uint64 last;
        uint64 lastBatchTime = kept[0].entry.l1Time;
        for (uint64 k = 1; k < kept.length; ++k) {
            Entry memory entry = kept[k].entry;
            uint64 expected = kept[k].namedOrigin > last ? kept[k].namedOrigin : last;
            bool isBatch = entry.dataKind != 0;
            if (!isBatch && entry.l1Time - lastBatchTime > ORIGIN_AGE_MAX) expected = k - 1;
            vm.assertEq(entry.origin, expected);
            vm.assertGt(k, entry.origin);
            vm.assertEq(entry.originAcc, kept[expected].acc);
            if (isBatch) lastBatchTime = entry.l1Time;
            last = expected;
        }
        vm.assertEq(inbox.lastOrigin(), last);
        vm.assertEq(inbox.lastBatchTime(), lastBatchTime);
    }

    /// @dev No L1 block holds more batches than it may.
    function invariant_batches_areLimitedPerL1Block() public view {
        Kept[] memory kept = actors.kept();
        uint256 inBlock;
        for (uint256 k = 1; k < kept.length; ++k) {
            if (kept[k].entry.l1BlockNumber != kept[k - 1].entry.l1BlockNumber) inBlock = 0;
            if (kept[k].entry.dataKind != 0) ++inBlock;
            vm.assertLe(inBlock, ENTRIES_PER_L1_BLOCK_MAX);
        }
    }

    /// @dev A forced entry exists exactly when a deposit is overdue.
    function invariant_forcedEntries_onlyWhenOverdue() public view {
        vm.assertEq(actors.wrongForced(), 0);
    }
}
