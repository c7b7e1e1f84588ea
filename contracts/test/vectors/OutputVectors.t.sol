// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Rollup } from "../../src/L1/Rollup.sol";
import { IInbox } from "../../src/interfaces/IInbox.sol";
import { OutputRootProof, RollupConfig } from "../../src/interfaces/IRollup.sol";
import { HeaderReader } from "../../src/lib/HeaderReader.sol";
import { FakeInbox } from "../utils/Fakes.sol";
import { Test } from "../utils/Test.sol";

/// @title OutputVectorsTest
/// @notice The contracts against crates/protocol/vectors/output.json, which contracts/vectors.mjs makes without them.
contract OutputVectorsTest is Test {
    function read(bytes calldata header) external pure returns (bytes32 stateRoot, uint64 number) {
        return HeaderReader.read(header);
    }

    function test_headers() public view {
        string memory json = readVectors("output");
        uint256 count = lengthOf(json, "headers");
        vm.assertEq(count, 8);
        for (uint256 i; i < count; ++i) {
            string memory path = item("headers", i);
            bytes memory header = bytesAt(json, path, "rlp");
            vm.assertEq(keccak256(header), hashAt(json, path, "hash"));
            (bytes32 stateRoot, uint64 number) = this.read(header);
            vm.assertEq(stateRoot, hashAt(json, path, "stateRoot"));
            vm.assertEq(number, uintAt(json, path, "number"));
        }
    }

    function test_claims() public {
        string memory json = readVectors("output");
        vm.warp(START_TIME);
        FakeInbox inbox = new FakeInbox();
        uint256 count = lengthOf(json, "outputs");
        vm.assertEq(count, 3);
        for (uint256 i; i < count; ++i) {
            string memory path = item("outputs", i);
            inbox.set(uint64At(json, path, "entry"), hashAt(json, path, "acc"));
        }
        Rollup rollup = new Rollup(
            IInbox(address(inbox)),
            address(this),
            hashAt(json, item("outputs", 0), "outputRoot"),
            RollupConfig({ challengeWindow: 1, entriesPerOutputMax: 100, proposerBond: 1 })
        );
        for (uint256 i; i < count; ++i) {
            if (i != 0) propose(rollup, json, item("outputs", i), i - 1);
            vm.assertEq(rollup.output(i).claim, hashAt(json, item("outputs", i), "claim"));
            vm.assertEq(rollup.output(i).outputRoot, hashAt(json, item("outputs", i), "outputRoot"));
        }
    }

    function propose(Rollup rollup, string memory json, string memory path, uint256 parentIndex) private {
        OutputRootProof memory proof = OutputRootProof({
            version: hashAt(json, path, "proof.version"),
            stateRoot: hashAt(json, path, "proof.stateRoot"),
            messagePasserStorageRoot: hashAt(json, path, "proof.messagePasserStorageRoot"),
            latestBlockhash: hashAt(json, path, "proof.latestBlockhash")
        });
        bytes memory header = bytesAt(json, item("headers", uintAt(json, path, "headerIndex")), "rlp");
        rollup.propose{ value: 1 }(
            parentIndex,
            hashAt(json, path, "parentClaim"),
            uint64At(json, path, "entry"),
            hashAt(json, path, "acc"),
            proof,
            header
        );
    }
}
