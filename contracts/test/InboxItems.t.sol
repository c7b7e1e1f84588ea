// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IInbox, Item } from "../src/interfaces/IInbox.sol";
import { InboxFixture } from "./utils/InboxFixture.sol";
import { Log } from "./utils/Vm.sol";

/// @notice Calls with several items: content chain, limits and the layout of the input.
contract InboxItemsTest is InboxFixture {
    /// @dev Bytes of the head, of an item's offset, and of an item before its data.
    uint256 private constant HEAD_BYTES = 4 + 4 * 32;
    uint256 private constant ITEM_HEAD_BYTES = 7 * 32;

    /// @dev Three items: 5 bytes, a blob, 64 bytes.
    function threeItems() private returns (Item[] memory items) {
        blobs(1);
        items = new Item[](3);
        items[0] = itemOf(KIND_CALLDATA, 0, 0, "batch");
        items[1] = itemOf(KIND_BLOBS, 0, 0, hex"01");
        items[2] = itemOf(KIND_CALLDATA, 0, 0, pattern(64));
    }

    // --- content

    function test_content_chainsTheItems() public {
        deposit(3);
        bytes32[] memory hashes = blobs(1);
        Item[] memory items = new Item[](3);
        items[0] = itemOf(KIND_CALLDATA, 2, 0, "batch");
        items[1] = itemOf(KIND_BLOBS, 1, 0, hex"01");
        items[2] = itemOf(KIND_CALLDATA, 3, 0, "");
        bytes32[3] memory dataHashes =
            [dataHashOf("batch"), keccak256(abi.encodePacked(hashes)), dataHashOf("")];
        uint64[3] memory counts = [uint64(2), 2, 3];

        (bytes32 content, bytes32 acc) = (CHAIN_CONFIG_HASH, lastAcc());
        vm.recordLogs();
        append(items);
        Recorded[] memory r = recorded(3);
        for (uint256 i; i < 3; ++i) {
            content = extended(content, items[i], dataHashes[i]);
            vm.assertEq(r[i].content, content);
            vm.assertEq(r[i].prevAcc, acc);
            acc = r[i].acc;
            vm.assertEq(r[i].entry.index, i + 1);
            vm.assertEq(uint256(r[i].entry.dataKind), uint256(items[i].kind));
            vm.assertEq(r[i].entry.dataHash, dataHashes[i]);
            vm.assertEq(r[i].entry.depositCount, counts[i]);
            vm.assertEq(inbox.acc(uint64(i + 1)), acc);
        }
        vm.assertEq(inbox.content(), content);
        vm.assertEq(inbox.entryCount(), 4);
        vm.assertEq(inbox.consumedDeposits(), 3);
    }

    /// @dev Each field of an item changes the content.
    function test_content_bindsEveryField() public pure {
        Item memory item_ = Item(1, 2, keccak256("deposits"), 3, keccak256("origin"), "");
        bytes32 dataHash = keccak256("data");
        bytes32[7] memory contents;
        contents[0] = extended(CHAIN_CONFIG_HASH, item_, dataHash);
        contents[1] = extended(CHAIN_CONFIG_HASH, item_, keccak256("other"));
        item_.kind = 2;
        contents[2] = extended(CHAIN_CONFIG_HASH, item_, dataHash);
        item_.depositCount = 3;
        contents[3] = extended(CHAIN_CONFIG_HASH, item_, dataHash);
        item_.depositAcc = 0;
        contents[4] = extended(CHAIN_CONFIG_HASH, item_, dataHash);
        item_.origin = 4;
        contents[5] = extended(CHAIN_CONFIG_HASH, item_, dataHash);
        item_.originAcc = 0;
        contents[6] = extended(CHAIN_CONFIG_HASH, item_, dataHash);
        for (uint256 i; i < 7; ++i) {
            for (uint256 j; j < i; ++j) {
                vm.assertNotEq(contents[i], contents[j]);
            }
        }
    }

    function test_append_wrongContent_reverts() public {
        Item[] memory items = only(itemOf(KIND_CALLDATA, 0, 0, "batch"));
        bytes32 wrong = keccak256("wrong");
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_WrongContent.selector, wrong, CHAIN_CONFIG_HASH));
        vm.prank(BATCHER, BATCHER);
        inbox.append(wrong, items, new bytes[](0));
    }

    function test_append_twice_reverts() public {
        Item[] memory items = only(itemOf(KIND_CALLDATA, 0, 0, "batch"));
        append(items);
        vm.expectRevert(
            abi.encodeWithSelector(IInbox.Inbox_WrongContent.selector, CHAIN_CONFIG_HASH, inbox.content())
        );
        vm.prank(BATCHER, BATCHER);
        inbox.append(CHAIN_CONFIG_HASH, items, new bytes[](0));
        vm.assertEq(inbox.entryCount(), 2);
    }

    /// @dev Items that all were built on the same state land in the order of their contents, and in no other.
    function test_append_builtAhead_landsInOrder() public {
        bytes[] memory calls = new bytes[](3);
        bytes32 content = CHAIN_CONFIG_HASH;
        for (uint256 i; i < 3; ++i) {
            Item memory item_ = itemOf(KIND_CALLDATA, 0, 0, abi.encode(i));
            calls[i] = appendCall(content, only(item_));
            content = extended(content, item_, dataHashOf(item_.data));
        }
        vm.assertEq(sent(calls[1]), false);
        vm.assertEq(sent(calls[0]), true);
        vm.assertEq(sent(calls[0]), false);
        vm.assertEq(sent(calls[2]), false);
        vm.assertEq(sent(calls[1]), true);
        vm.assertEq(sent(calls[2]), true);
        vm.assertEq(inbox.content(), content);
        vm.assertEq(inbox.entryCount(), 4);
    }

    function sent(bytes memory call) private returns (bool ok) {
        vm.prank(BATCHER, BATCHER);
        (ok,) = address(inbox).call(call);
    }

    function test_append_failingItem_undoesTheItemsBefore() public {
        Item[] memory items = threeItems();
        items[2].kind = 3;
        bytes32 acc = lastAcc();
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_UnknownKind.selector, 3), items);
        vm.assertEq(inbox.entryCount(), 1);
        vm.assertEq(inbox.content(), CHAIN_CONFIG_HASH);
        vm.assertEq(lastAcc(), acc);
    }

    /// @dev Each item consumes at most depositsPerEntryMax; what is overdue goes to the items in order.
    function test_append_overdueDeposits_fillTheItemsInOrder() public {
        deposit(2 * DEPOSITS_PER_ENTRY_MAX + 1);
        vm.warp(START_TIME + FORCE_WINDOW);
        vm.recordLogs();
        append(threeItems());
        Recorded[] memory r = recorded(3);
        vm.assertEq(r[0].entry.depositCount, DEPOSITS_PER_ENTRY_MAX);
        vm.assertEq(r[1].entry.depositCount, 2 * DEPOSITS_PER_ENTRY_MAX);
        vm.assertEq(r[2].entry.depositCount, 2 * DEPOSITS_PER_ENTRY_MAX + 1);
    }

    // --- limits

    function test_append_noItems_reverts() public {
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_NoItems.selector), new Item[](0));
        blobs(1);
        appendReverts(abi.encodeWithSelector(IInbox.Inbox_NoItems.selector), new Item[](0));
    }

    function test_append_tooManyEntries_inOneCall_reverts() public {
        tooManyEntriesReverts(ENTRIES_PER_L1_BLOCK_MAX + 1, ENTRIES_PER_L1_BLOCK_MAX + 1);
        append(emptyItems(ENTRIES_PER_L1_BLOCK_MAX));
        vm.assertEq(inbox.entryCount(), ENTRIES_PER_L1_BLOCK_MAX + 1);
    }

    function test_append_tooManyEntries_overSeveralCalls_reverts() public {
        append(emptyItems(3));
        append(emptyItems(ENTRIES_PER_L1_BLOCK_MAX - 4));
        tooManyEntriesReverts(2, ENTRIES_PER_L1_BLOCK_MAX + 1);
        append(emptyItems(1));
        tooManyEntriesReverts(1, ENTRIES_PER_L1_BLOCK_MAX + 1);

        advanceL1(1);
        append(emptyItems(ENTRIES_PER_L1_BLOCK_MAX));
        tooManyEntriesReverts(1, ENTRIES_PER_L1_BLOCK_MAX + 1);
    }

    /// @dev Forced entries neither count nor reset the count.
    function test_append_tooManyEntries_forcedEntriesDoNotCount() public {
        deposit(3 * DEPOSITS_PER_ENTRY_MAX);
        advanceL1(FORCE_WINDOW / 12);
        inbox.forceInclude();
        append(emptyItems(ENTRIES_PER_L1_BLOCK_MAX));
        vm.assertEq(inbox.entryCount(), ENTRIES_PER_L1_BLOCK_MAX + 2);

        advanceL1(1);
        deposit(1);
        advanceL1(FORCE_WINDOW / 12);
        append(emptyItems(ENTRIES_PER_L1_BLOCK_MAX - 1));
        deposit(1);
        vm.warp(block.timestamp + FORCE_WINDOW);
        inbox.forceInclude();
        append(emptyItems(1));
        tooManyEntriesReverts(1, ENTRIES_PER_L1_BLOCK_MAX + 1);
    }

    function emptyItems(uint256 count) private view returns (Item[] memory items) {
        items = new Item[](count);
        for (uint256 i; i < count; ++i) {
            items[i] = itemOf(KIND_CALLDATA, 0, 0, "");
        }
    }

    function tooManyEntriesReverts(uint256 added, uint256 count) private {
        appendReverts(
            abi.encodeWithSelector(IInbox.Inbox_TooManyEntries.selector, count, ENTRIES_PER_L1_BLOCK_MAX),
            emptyItems(added)
        );
    }

    // --- layout of the input

    /// @dev Where IInbox says that readers of L1 find the items' data.
    function testFuzz_layout_dataOffsets(uint8 itemCount, uint256 seed) public {
        Item[] memory items = new Item[](bound(itemCount, 1, ENTRIES_PER_L1_BLOCK_MAX));
        for (uint256 i; i < items.length; ++i) {
            items[i] = itemOf(KIND_CALLDATA, 0, 0, pattern(uint256(keccak256(abi.encode(seed, i))) % 100));
        }
        bytes memory call = appendCall(inbox.content(), items);
        uint256 offset = 356 + 32 * items.length;
        for (uint256 i; i < items.length; ++i) {
            for (uint256 j; j < items[i].data.length; ++j) {
                vm.assertEq(uint256(uint8(call[offset + j])), j % 251);
            }
            offset += (items[i].data.length + 31) / 32 * 32 + ITEM_HEAD_BYTES;
        }
        vm.assertEq(offset - ITEM_HEAD_BYTES + 32, call.length);
        vm.assertTrue(sent(call));
    }

    /// @dev Changing any word but the data makes the call fail, unless a data's length changes within its padding.
    function testFuzz_layout_everyWordCounts(uint256 place, uint256 delta) public {
        bytes memory call = appendCall(inbox.content(), threeItems());
        uint256 words = (call.length - 4) / 32;
        uint256 word = bound(place, 0, words - 1);
        uint256 offset = 4 + 32 * word;
        uint256 before = wordAt(call, offset);
        unchecked {
            setWord(call, offset, before + delta);
        }
        uint256 firstData = 4 + 3 + 7;
        bool isData = word == firstData || word == firstData + 8 || word == words - 2 || word == words - 3;
        bool isLength = word == firstData - 1 || word == words - 4;
        bool samePadding = paddedWords(wordAt(call, offset)) == paddedWords(before);
        if (delta == 0 || isData || (isLength && samePadding)) return;
        vm.assertEq(sent(call), false);
    }

    function paddedWords(uint256 length) private pure returns (uint256) {
        return length / 32 + (length % 32 == 0 ? 0 : 1);
    }

    function test_layout_paddingMayHoldAnything() public {
        bytes memory call = appendCall(inbox.content(), threeItems());
        call[HEAD_BYTES + 3 * 32 + ITEM_HEAD_BYTES + 5] = 0x01;
        call[HEAD_BYTES + 3 * 32 + ITEM_HEAD_BYTES + 31] = 0xff;
        vm.recordLogs();
        vm.assertTrue(sent(call));
        vm.assertEq(recorded(3)[0].entry.dataHash, dataHashOf("batch"));
    }

    function test_layout_trailingBytes_revert() public {
        bytes memory call = appendCall(inbox.content(), threeItems());
        nonCanonicalReverts(bytes.concat(call, hex"00"));
        nonCanonicalReverts(bytes.concat(call, new bytes(32)));
    }

    function test_layout_missingBytes_revert() public {
        bytes memory call = appendCall(inbox.content(), threeItems());
        for (uint256 missing = 1; missing <= 33; ++missing) {
            bytes memory shorter = new bytes(call.length - missing);
            for (uint256 i; i < shorter.length; ++i) {
                shorter[i] = call[i];
            }
            vm.assertEq(sent(shorter), false);
        }
    }

    function test_layout_unpaddedData_reverts() public {
        Item memory item_ = itemOf(KIND_CALLDATA, 0, 0, "batch");
        bytes memory head = abi.encode(CHAIN_CONFIG_HASH, 3 * 32, 3 * 32 + 2 * 32 + 7 * 32 + 5, 1, 32);
        bytes memory call = abi.encodePacked(
            IInbox.append.selector,
            head,
            abi.encode(1, 0, item_.depositAcc, 0, item_.originAcc, 6 * 32, 5),
            "batch",
            bytes32(0)
        );
        nonCanonicalReverts(call);
    }

    /// @dev A word between the head and the items.
    function test_layout_shiftedItems_revert() public {
        bytes memory call = withWordAt(appendCall(inbox.content(), threeItems()), 4 + 3 * 32);
        addTo(call, 4 + 32);
        addTo(call, 4 + 2 * 32);
        nonCanonicalReverts(call);
    }

    /// @dev A word between the items' offsets and the first item.
    function test_layout_shiftedFirstItem_reverts() public {
        bytes memory call = withWordAt(appendCall(inbox.content(), threeItems()), HEAD_BYTES + 3 * 32);
        addTo(call, 4 + 2 * 32);
        for (uint256 i; i < 3; ++i) {
            addTo(call, HEAD_BYTES + 32 * i);
        }
        nonCanonicalReverts(call);
    }

    /// @dev A word between an item's head and its data.
    function test_layout_shiftedData_reverts() public {
        uint256 lengthOffset = HEAD_BYTES + 3 * 32 + 6 * 32;
        bytes memory call = withWordAt(appendCall(inbox.content(), threeItems()), lengthOffset);
        addTo(call, 4 + 2 * 32);
        addTo(call, HEAD_BYTES + 32);
        addTo(call, HEAD_BYTES + 64);
        addTo(call, lengthOffset - 32);
        nonCanonicalReverts(call);
    }

    /// @dev A word between the last item and the signatures.
    function test_layout_shiftedSignatures_revert() public {
        bytes memory call = appendCall(inbox.content(), threeItems());
        call = withWordAt(call, call.length - 32);
        addTo(call, 4 + 2 * 32);
        nonCanonicalReverts(call);
    }

    /// @dev Items of equal size in the other order.
    function test_layout_swappedItemOffsets_revert() public {
        Item[] memory items = new Item[](2);
        items[0] = itemOf(KIND_CALLDATA, 0, 0, "one");
        items[1] = itemOf(KIND_CALLDATA, 0, 0, "two");
        bytes memory call = appendCall(inbox.content(), items);
        swapWords(call, HEAD_BYTES, HEAD_BYTES + 32);
        nonCanonicalReverts(call);
    }

    /// @dev Two items that are the same bytes.
    function test_layout_sharedItem_reverts() public {
        Item[] memory items = new Item[](2);
        items[0] = itemOf(KIND_CALLDATA, 0, 0, "one");
        items[1] = itemOf(KIND_CALLDATA, 0, 0, "one");
        bytes memory call = appendCall(inbox.content(), items);
        setWord(call, HEAD_BYTES + 32, wordAt(call, HEAD_BYTES));
        nonCanonicalReverts(call);
    }

    /// @dev The signatures before the items.
    function test_layout_swappedArguments_revert() public {
        Item memory item_ = itemOf(KIND_CALLDATA, 0, 0, "batch");
        bytes memory call = abi.encodePacked(
            IInbox.append.selector,
            abi.encode(CHAIN_CONFIG_HASH, 4 * 32, 3 * 32, 0, 1, 32),
            abi.encode(1, 0, item_.depositAcc, 0, item_.originAcc, 6 * 32, 5, bytes32("batch"))
        );
        nonCanonicalReverts(call);
    }

    function nonCanonicalReverts(bytes memory input) private {
        vm.prank(BATCHER, BATCHER);
        (bool ok, bytes memory result) = address(inbox).call(input);
        vm.assertEq(ok, false);
        vm.assertEq(result, abi.encodePacked(IInbox.Inbox_NonCanonicalCalldata.selector));
    }

    function wordAt(bytes memory input, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(input, 32), offset))
        }
    }

    function setWord(bytes memory input, uint256 offset, uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(add(add(input, 32), offset), word)
        }
    }

    function addTo(bytes memory input, uint256 offset) private pure {
        setWord(input, offset, wordAt(input, offset) + 32);
    }

    function swapWords(bytes memory input, uint256 a, uint256 b) private pure {
        (uint256 left, uint256 right) = (wordAt(input, a), wordAt(input, b));
        setWord(input, a, right);
        setWord(input, b, left);
    }

    /// @dev `input` with a zero word at `offset`.
    function withWordAt(bytes memory input, uint256 offset) private pure returns (bytes memory longer) {
        longer = new bytes(input.length + 32);
        for (uint256 i; i < input.length; ++i) {
            longer[i < offset ? i : i + 32] = input[i];
        }
    }
}
