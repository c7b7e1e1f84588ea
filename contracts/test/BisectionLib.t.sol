// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Bisection, Phase } from "../src/interfaces/IDispute.sol";
import { BisectionLib, Segment } from "../src/lib/BisectionLib.sol";
import { Test } from "./utils/Test.sol";

contract BisectionLibTest is Test {
    using BisectionLib for Bisection;
    using BisectionLib for uint64;

    uint64 private constant MACHINE_STEPS = 1 << 42;

    function segmentAt(Bisection calldata bisection, uint64 index) external pure returns (Segment memory) {
        return bisection.segmentAt(index);
    }

    function hash(Bisection calldata bisection) external pure returns (bytes32) {
        return bisection.hash();
    }

    function over(uint64 first, uint64 length) private pure returns (Bisection memory bisection) {
        bisection.answered = keccak256("answered");
        bisection.phase = Phase.Machine;
        bisection.block = 17;
        bisection.agreedRoot = keccak256("agreed");
        bisection.first = first;
        bisection.last = first + length;
        bisection.start = keccak256("start");
        bisection.claims = new bytes32[](length.count());
        for (uint256 i; i < bisection.claims.length; ++i) {
            bisection.claims[i] = keccak256(abi.encode("claim", i));
        }
    }

    /// @dev Asserts that the segments cover the range without gaps, that all but the last have the same
    ///      length and the last is not longer, and that there are at most 32.
    function tiles(uint64 first, uint64 length) private view {
        Bisection memory bisection = over(first, length);
        uint64 count = uint64(bisection.claims.length);
        vm.assertLe(count, 32);
        uint64 stride = (length - 1) / 32 + 1;
        uint64 reached = first;
        for (uint64 i; i < count; ++i) {
            Segment memory segment = this.segmentAt(bisection, i);
            vm.assertEq(segment.first, reached);
            if (i + 1 < count) vm.assertEq(segment.last - segment.first, stride);
            else vm.assertLe(segment.last - segment.first, stride);
            vm.assertGt(segment.last, segment.first);
            vm.assertEq(segment.start, i == 0 ? bisection.start : bisection.claims[i - 1]);
            vm.assertEq(segment.end, bisection.claims[i]);
            vm.assertEq(segment.answered, keccak256(abi.encode(bisection)));
            vm.assertTrue(segment.phase == Phase.Machine);
            vm.assertEq(segment.block, 17);
            vm.assertEq(segment.agreedRoot, bisection.agreedRoot);
            reached = segment.last;
        }
        vm.assertEq(reached, first + length);
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_segments_tileTheRange(uint64 first, uint64 length, uint256 bits) public view {
        length = bound64(length >> bits % 64, 1, type(uint64).max);
        tiles(bound64(first, 0, type(uint64).max - length), length);
    }

    function test_segments_tileTheRange_atBounds() public view {
        uint64[9] memory lengths = [uint64(1), 2, 31, 32, 33, 63, 64, 65, type(uint64).max];
        for (uint256 i; i < lengths.length; ++i) {
            tiles(0, lengths[i]);
            tiles(type(uint64).max - lengths[i], lengths[i]);
        }
    }

    function test_count_isMaximalForItsStride() public pure {
        uint64[9] memory lengths = [uint64(1), 2, 31, 32, 33, 63, 64, 65, type(uint64).max];
        uint64[9] memory counts = [uint64(1), 2, 31, 32, 17, 32, 32, 22, 32];
        for (uint256 i; i < lengths.length; ++i) {
            vm.assertEq(lengths[i].count(), counts[i]);
        }
    }

    /// @dev The depth is the number of rounds down to a single position along the longest path, through first
    ///      segments.
    function testFuzz_depth_matchesLongestSegment(uint64 length, uint256 bits) public pure {
        length = bound64(length >> bits % 64, 1, type(uint64).max);
        uint64 depth = length.depth();
        uint256 rounds;
        for (; length > 1; ++rounds) {
            length = (length - 1) / 32 + 1;
        }
        vm.assertEq(depth, rounds);
    }

    function test_depth_ofLongestGame() public pure {
        vm.assertEq(uint64(1).depth(), 0);
        vm.assertEq(uint64(2).depth(), 1);
        vm.assertEq(uint64(32).depth(), 1);
        vm.assertEq(uint64(33).depth(), 2);
        vm.assertEq((uint64(1) << 18).depth(), 4);
        vm.assertEq(MACHINE_STEPS.depth(), 9);
        vm.assertEq(type(uint64).max.depth(), 13);
    }

    /// @dev Changing any field of a bisection changes its hash.
    function test_hash_bindsEveryField() public view {
        Bisection[9] memory others;
        for (uint256 i; i < others.length; ++i) {
            others[i] = over(5, 100);
        }
        others[1].answered = 0;
        others[2].phase = Phase.Blocks;
        others[3].block += 1;
        others[4].agreedRoot = 0;
        others[5].first += 1;
        others[6].last += 1;
        others[7].start = 0;
        others[8].claims[24] = 0;
        for (uint256 i; i < others.length; ++i) {
            for (uint256 j; j < i; ++j) {
                vm.assertNotEq(this.hash(others[i]), this.hash(others[j]));
            }
        }
    }
}
