// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Bisection, Phase } from "../../src/interfaces/IDispute.sol";
import { BisectionLib, Segment } from "../../src/lib/BisectionLib.sol";
import { Test } from "../utils/Test.sol";

/// @title DisputeVectorsTest
/// @notice The library against crates/protocol/vectors/dispute.json, which contracts/vectors.mjs makes without it.
contract DisputeVectorsTest is Test {
    using BisectionLib for Bisection;
    using BisectionLib for uint64;

    function hash(Bisection calldata bisection) external pure returns (bytes32) {
        return bisection.hash();
    }

    function segmentAt(Bisection calldata bisection, uint64 index) external pure returns (Segment memory) {
        return bisection.segmentAt(index);
    }

    function test_bisections() public view {
        string memory json = readVectors("dispute");
        uint256 count = lengthOf(json, "bisections");
        vm.assertEq(count, 14);
        for (uint256 i; i < count; ++i) {
            string memory path = item("bisections", i);
            Bisection memory bisection = bisectionAt(json, path);
            vm.assertEq(this.hash(bisection), hashAt(json, path, "hash"));
            vm.assertEq((bisection.last - bisection.first).count(), bisection.claims.length);
            checkSegments(json, path, bisection);
        }
    }

    function bisectionAt(string memory json, string memory path) private pure returns (Bisection memory) {
        return Bisection({
            answered: hashAt(json, path, "answered"),
            phase: Phase(uintAt(json, path, "phase")),
            block: uint64At(json, path, "block"),
            agreedRoot: hashAt(json, path, "agreedRoot"),
            first: uint64At(json, path, "first"),
            last: uint64At(json, path, "last"),
            start: hashAt(json, path, "start"),
            claims: vm.parseJsonBytes32Array(json, string.concat(path, ".claims"))
        });
    }

    function checkSegments(string memory json, string memory path, Bisection memory bisection) private view {
        vm.assertGt(bisection.claims.length, 1);
        for (uint64 index; index < bisection.claims.length; ++index) {
            string memory expected = string.concat(path, ".segments[", vm.toString(index), "]");
            Segment memory segment = this.segmentAt(bisection, index);
            vm.assertEq(segment.answered, hashAt(json, path, "hash"));
            vm.assertTrue(segment.phase == bisection.phase);
            vm.assertEq(segment.block, bisection.block);
            vm.assertEq(segment.agreedRoot, bisection.agreedRoot);
            vm.assertEq(segment.first, uintAt(json, expected, "first"));
            vm.assertEq(segment.last, uintAt(json, expected, "last"));
            vm.assertEq(segment.start, hashAt(json, expected, "start"));
            vm.assertEq(segment.end, hashAt(json, expected, "end"));
        }
    }
}
