// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Inbox } from "../../src/L1/Inbox.sol";
import { Entry, InboxConfig } from "../../src/interfaces/IInbox.sol";
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
        Inbox inbox = newInbox(vm.parseJsonBytes32(json, ".chainConfigHash"), portal);
        vm.assertEq(inbox.acc(0), hashAt(json, item("entries", 0), "acc"));

        uint256 count = lengthOf(json, "entries");
        vm.assertEq(count, 8);
        for (uint64 i = 1; i < count; ++i) {
            setL1Block(json, i);
            addEntry(inbox, portal, json, item("entries", i));
            vm.assertEq(inbox.acc(i), hashAt(json, item("entries", i), "acc"));
            vm.assertEq(inbox.acc(i), keccak256(bytesAt(json, item("entries", i), "preimage")));
        }
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
            originLagMax: type(uint64).max,
            entryBytesMax: 300_000,
            entryBlobsMax: 16,
            keyAdmin: address(0),
            keyDelay: 0
        });
        return new Inbox(chainConfigHash, IPortal(payable(address(portal))), BATCHER, config);
    }

    function addEntry(Inbox inbox, FakePortal portal, string memory json, string memory path) private {
        uint64 depositCount = uint64At(json, path, "depositCount");
        bytes32 depositAcc = hashAt(json, path, "depositAcc");
        portal.set(depositCount, depositAcc, uint64(block.timestamp));
        if (uintAt(json, path, "dataKind") == 0) return inbox.forceInclude();
        if (uintAt(json, path, "dataKind") == 2) return addBlobs(inbox, json, path);
        append(
            inbox,
            hashAt(json, path, "prevAcc"),
            depositCount,
            depositAcc,
            uint64At(json, path, "origin"),
            bytesAt(json, path, "data")
        );
    }

    function addBlobs(Inbox inbox, string memory json, string memory path) private {
        vm.blobhashes(vm.parseJsonBytes32Array(json, string.concat(path, ".blobHashes")));
        vm.prank(BATCHER, BATCHER);
        inbox.appendBlobs(
            hashAt(json, path, "prevAcc"),
            uint64At(json, path, "depositCount"),
            hashAt(json, path, "depositAcc"),
            uint64At(json, path, "origin")
        );
    }

    function append(
        Inbox inbox,
        bytes32 prevAcc,
        uint64 depositCount,
        bytes32 depositAcc,
        uint64 origin,
        bytes memory data
    ) private {
        vm.prank(BATCHER, BATCHER);
        inbox.append(prevAcc, depositCount, depositAcc, origin, data);
    }

    function test_dataHashes() public {
        string memory json = readVectors("inbox");
        vm.roll(START_BLOCK);
        Inbox inbox = newInbox(keccak256("chain configuration"), new FakePortal());
        uint256 count = lengthOf(json, "dataHashes");
        vm.assertEq(count, 8);
        for (uint64 i; i < count; ++i) {
            string memory path = item("dataHashes", i);
            bytes32 prevAcc = inbox.acc(i);
            vm.recordLogs();
            append(inbox, prevAcc, 0, 0, 0, pattern(uintAt(json, path, "length")));
            Log[] memory logs = vm.getRecordedLogs();
            (, Entry memory entry) = abi.decode(logs[0].data, (bytes32, Entry));
            vm.assertEq(entry.dataHash, hashAt(json, path, "dataHash"));
        }
    }
}
