// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Inbox } from "../../src/L1/Inbox.sol";
import { Entry, IInbox, InboxConfig, Item } from "../../src/interfaces/IInbox.sol";
import { IPortal } from "../../src/interfaces/IPortal.sol";
import { FakePortal } from "../utils/Fakes.sol";
import { Test } from "../utils/Test.sol";
import { Log } from "../utils/Vm.sol";

/// @title InboxVectorsTest
/// @notice The contracts against crates/protocol/vectors/inbox.json, which contracts/vectors.mjs makes without them.
contract InboxVectorsTest is Test {
    address private immutable BATCHER = account("batcher");

    function test_accumulators() public {
        string memory json = readVectors("inbox");
        FakePortal portal = new FakePortal();
        setL1Block(json, 0);
        vm.recordLogs();
        Inbox inbox = newInbox(vm.parseJsonBytes32(json, ".chainConfigHash"), portal);
        checkEntry(inbox, json, 0);

        uint256 count = lengthOf(json, "entries");
        vm.assertEq(count, 10);
        for (uint64 i = 1; i < count; ++i) {
            setL1Block(json, i);
            vm.recordLogs();
            addEntry(inbox, portal, json, item("entries", i));
            checkEntry(inbox, json, i);
        }
    }

    /// @dev Accumulator, content and the fields that the contract decides on, in the only event of the last call.
    function checkEntry(Inbox inbox, string memory json, uint64 i) private {
        string memory path = item("entries", i);
        vm.assertEq(inbox.acc(i), hashAt(json, path, "acc"));
        vm.assertEq(inbox.acc(i), keccak256(bytesAt(json, path, "preimage")));
        vm.assertEq(inbox.content(), hashAt(json, path, "content"));
        Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1);
        (bytes32 prevAcc, Entry memory entry, bytes32 content) =
            abi.decode(logs[0].data, (bytes32, Entry, bytes32));
        vm.assertEq(bytesAt(json, path, "preimage"), abi.encode(prevAcc, entry));
        vm.assertEq(content, hashAt(json, path, "content"));
        vm.assertEq(entry.origin, uintAt(json, path, "origin"));
        vm.assertEq(entry.originAcc, hashAt(json, path, "originAcc"));
        vm.assertEq(entry.depositCount, uintAt(json, path, "depositCount"));
        vm.assertEq(entry.offchainTime, uintAt(json, path, "offchainTime"));
    }

    function setL1Block(string memory json, uint256 entry) private {
        string memory path = item("entries", entry);
        uint256 number = uintAt(json, path, "l1BlockNumber");
        vm.roll(number);
        vm.warp(uintAt(json, path, "l1Time"));
        vm.fee(uintAt(json, path, "l1BaseFee"));
        setBlobBaseFee(uintAt(json, path, "l1BlobBaseFee"));
        vm.setBlockhash(number - 1, hashAt(json, path, "l1ParentHash"));
    }

    function newInbox(bytes32 chainConfigHash, FakePortal portal) private returns (Inbox) {
        InboxConfig memory config = InboxConfig({
            forceWindow: 0,
            depositsPerEntryMax: type(uint64).max,
            originAgeMax: 1 hours,
            entryBytesMax: 300_000,
            entryBlobsMax: 16,
            entriesPerL1BlockMax: 64,
            keyAdmin: address(0),
            keyDelay: 0
        });
        return new Inbox(chainConfigHash, IPortal(payable(address(portal))), BATCHER, config);
    }

    function addEntry(Inbox inbox, FakePortal portal, string memory json, string memory path) private {
        portal.set(
            uint64At(json, path, "depositCount"), hashAt(json, path, "depositAcc"), uint64(block.timestamp)
        );
        if (uintAt(json, path, "dataKind") == 0) return inbox.forceInclude();
        if (uintAt(json, path, "dataKind") == 2) {
            vm.blobhashes(vm.parseJsonBytes32Array(json, string.concat(path, ".blobHashes")));
        }
        Item[] memory items = new Item[](1);
        items[0] = itemAt(json, string.concat(path, ".item"));
        append(inbox, items);
        vm.blobhashes(new bytes32[](0));
    }

    function itemAt(string memory json, string memory path) private pure returns (Item memory) {
        return Item({
            kind: uint8(uintAt(json, path, "kind")),
            depositCount: uint64At(json, path, "depositCount"),
            depositAcc: hashAt(json, path, "depositAcc"),
            origin: uint64At(json, path, "origin"),
            originAcc: hashAt(json, path, "originAcc"),
            data: bytesAt(json, path, "data")
        });
    }

    function append(Inbox inbox, Item[] memory items) private {
        bytes32 expectedContent = inbox.content();
        vm.prank(BATCHER, BATCHER);
        inbox.append(expectedContent, items, new bytes[](0));
    }

    function test_dataHashes() public {
        string memory json = readVectors("inbox");
        vm.roll(START_BLOCK);
        Inbox inbox = newInbox(keccak256("chain configuration"), new FakePortal());
        uint256 count = lengthOf(json, "dataHashes");
        vm.assertEq(count, 8);
        Item[] memory items = new Item[](1);
        items[0].kind = 1;
        items[0].originAcc = inbox.acc(0);
        for (uint64 i; i < count; ++i) {
            string memory path = item("dataHashes", i);
            items[0].data = pattern(uintAt(json, path, "length"));
            vm.recordLogs();
            append(inbox, items);
            Log[] memory logs = vm.getRecordedLogs();
            (, Entry memory entry) = abi.decode(logs[0].data, (bytes32, Entry));
            vm.assertEq(entry.dataHash, hashAt(json, path, "dataHash"));
        }
    }

    /// @dev The inputs are those of the standard encoder, the items' data is where the vectors say, and the contents
    ///      follow from the items and their hashes.
    function test_calls() public view {
        string memory json = readVectors("inbox");
        uint256 count = lengthOf(json, "calls");
        vm.assertEq(count, 7);
        for (uint256 i; i < count; ++i) {
            string memory path = item("calls", i);
            Item[] memory items = itemsAt(json, path);
            bytes32 content = hashAt(json, path, "expectedContent");
            bytes memory input = bytesAt(json, path, "input");
            vm.assertEq(input, abi.encodeCall(IInbox.append, (content, items, new bytes[](0))));

            bytes32[] memory contents = vm.parseJsonBytes32Array(json, string.concat(path, ".contents"));
            bytes32[] memory dataHashes = vm.parseJsonBytes32Array(json, string.concat(path, ".dataHashes"));
            for (uint256 j; j < items.length; ++j) {
                uint256 offset =
                    vm.parseJsonUint(json, string.concat(path, ".dataOffsets[", vm.toString(j), "]"));
                vm.assertEq(slice(input, offset, items[j].data.length), items[j].data);
                content = keccak256(
                    abi.encode(
                        content,
                        items[j].kind,
                        dataHashes[j],
                        items[j].depositCount,
                        items[j].depositAcc,
                        items[j].origin,
                        items[j].originAcc
                    )
                );
                vm.assertEq(content, contents[j]);
            }
        }
    }

    function itemsAt(string memory json, string memory path) private view returns (Item[] memory items) {
        uint256 count;
        while (vm.keyExistsJson(json, string.concat(path, ".items[", vm.toString(count), "]"))) ++count;
        items = new Item[](count);
        for (uint256 i; i < count; ++i) {
            items[i] = itemAt(json, string.concat(path, ".items[", vm.toString(i), "]"));
        }
    }

    function slice(bytes memory data, uint256 offset, uint256 length)
        private
        pure
        returns (bytes memory part)
    {
        part = new bytes(length);
        for (uint256 i; i < length; ++i) {
            part[i] = data[offset + i];
        }
    }
}
