// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Inbox } from "../src/L1/Inbox.sol";
import { InboxConfig, Item } from "../src/interfaces/IInbox.sol";
import { InboxFixture } from "./utils/InboxFixture.sol";

/// @notice Other accounts get ahead of every append with as much as an L1 block takes.
contract InboxFloodTest is InboxFixture {
    uint256 private constant ROUNDS = 100;
    uint256 private constant DEPOSITS_PER_ROUND = 100;
    uint64 private constant MANY_DEPOSITS_PER_ENTRY_MAX = 256;
    /// @dev L1 blocks between rounds. The deposits' base fee falls in them to its minimum again.
    uint256 private constant BLOCKS_PER_ROUND = 3;

    function setUp() public override {
        super.setUp();
        InboxConfig memory config = defaultInboxConfig();
        config.depositsPerEntryMax = MANY_DEPOSITS_PER_ENTRY_MAX;
        config.forceWindow = uint64(12 * BLOCKS_PER_ROUND);
        inbox = new Inbox(CHAIN_CONFIG_HASH, portal, BATCHER, config);
    }

    /// @dev The calls of all rounds, made before the first one. Odd ones are in blobs.
    function makeCalls() private view returns (bytes[] memory inputs, bytes32[] memory contents) {
        inputs = new bytes[](ROUNDS);
        contents = new bytes32[](ROUNDS);
        bytes32 content = inbox.content();
        for (uint256 i; i < ROUNDS; ++i) {
            bool inBlobs = i % 2 == 1;
            Item memory item_ =
                itemOf(inBlobs ? KIND_BLOBS : KIND_CALLDATA, 0, 0, inBlobs ? bytes(hex"01") : abi.encode(i));
            inputs[i] = appendCall(content, only(item_));
            bytes32 dataHash =
                inBlobs ? keccak256(abi.encode(keccak256(abi.encode(i)))) : dataHashOf(item_.data);
            content = extended(content, item_, dataHash);
            contents[i] = content;
        }
    }

    function send(bytes memory input, uint256 round) private {
        if (round % 2 == 1) {
            bytes32[] memory hashes = new bytes32[](1);
            hashes[0] = keccak256(abi.encode(round));
            vm.blobhashes(hashes);
        }
        vm.prank(BATCHER, BATCHER);
        (bool ok,) = address(inbox).call(input);
        vm.assertTrue(ok);
        vm.blobhashes(new bytes32[](0));
    }

    /// @dev Before each of a hundred appends that were all made at first, others make a hundred deposits and force an
    ///      entry.
    function test_flood_everyAppendLands() public {
        (bytes[] memory inputs, bytes32[] memory contents) = makeCalls();
        deposit(DEPOSITS_PER_ROUND);
        advanceL1(BLOCKS_PER_ROUND);
        for (uint256 i; i < ROUNDS; ++i) {
            deposit(DEPOSITS_PER_ROUND);
            inbox.forceInclude();

            vm.recordLogs();
            send(inputs[i], i);
            Recorded memory r = recorded();
            vm.assertEq(r.content, contents[i]);
            vm.assertEq(r.entry.index, 2 * i + 2);
            // The queue drains: what was overdue is consumed.
            vm.assertEq(r.entry.depositCount, DEPOSITS_PER_ROUND * (i + 1));
            vm.assertEq(r.entry.depositAcc, portal.depositAcc(r.entry.depositCount));
            advanceL1(BLOCKS_PER_ROUND);
        }
        vm.assertEq(inbox.content(), contents[ROUNDS - 1]);
        vm.assertEq(inbox.entryCount(), 2 * ROUNDS + 1);

        inbox.forceInclude();
        vm.assertEq(inbox.consumedDeposits(), (ROUNDS + 1) * DEPOSITS_PER_ROUND);
        vm.assertEq(inbox.consumedDeposits(), portal.depositCount());
        eachContentLandedOnce(inputs);
    }

    function eachContentLandedOnce(bytes[] memory inputs) private {
        for (uint256 i; i < ROUNDS; ++i) {
            vm.prank(BATCHER, BATCHER);
            (bool ok,) = address(inbox).call(inputs[i]);
            vm.assertEq(ok, false);
        }
    }

    /// @dev The batcher was away while the queue grew. Its first appends, made before, drain the queue.
    function test_flood_queueOfManyEntries_drains() public {
        (bytes[] memory inputs,) = makeCalls();
        uint256 rounds = 12;
        for (uint256 i; i < rounds; ++i) {
            deposit(DEPOSITS_PER_ROUND);
            advanceL1(BLOCKS_PER_ROUND);
        }
        uint256 queued = rounds * DEPOSITS_PER_ROUND;
        for (uint256 i; inbox.consumedDeposits() < queued; ++i) {
            vm.assertGt(5, i);
            send(inputs[i], i);
            uint256 most = (i + 1) * MANY_DEPOSITS_PER_ENTRY_MAX;
            vm.assertEq(inbox.consumedDeposits(), most < queued ? most : queued);
        }
    }
}
