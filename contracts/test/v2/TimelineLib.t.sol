// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Progress, Timeline, TimelineLib } from "../../src/v2/lib/TimelineLib.sol";
import { Test } from "../utils/Test.sol";

/// @title TimelineLibTest
/// @notice What the times of reveals say of a match.
contract TimelineLibTest is Test {
    using TimelineLib for Timeline;

    uint256 private constant INCREMENT = 10;

    function follow(uint256 left, uint256[] memory x, uint256[] memory y, uint256 time)
        private
        returns (Timeline memory timeline)
    {
        vm.warp(time);
        timeline = Timeline({ progress: Progress.Waiting, from: 1000, leftX: left, leftY: left });
        timeline.follow(INCREMENT, x, y);
    }

    function times(uint256 first, uint256 second) private pure returns (uint256[] memory list) {
        list = new uint256[](2);
        (list[0], list[1]) = (first, second);
    }

    function test_reveals_useUpTheClock() external {
        Timeline memory found = follow(100, times(1020, 1060), times(1050, 1050), 1060);
        vm.assertTrue(found.progress == Progress.Revealed);
        vm.assertEq(found.from, 1060);
        // x: 20 until 1020, then 10 from 1050 on. y: 50, then nothing, since it had revealed both.
        vm.assertEq(found.leftX, 70);
        vm.assertEq(found.leftY, 50);
    }

    function test_limit_isTheClock_orTheIncrement() external {
        vm.assertTrue(follow(100, times(0, 0), times(1000, 0), 1100).progress == Progress.Waiting);
        vm.assertTrue(follow(100, times(0, 0), times(1000, 0), 1101).progress == Progress.XFailed);
        vm.assertTrue(follow(3, times(1010, 1020), times(1010, 1020), 1020).progress == Progress.Revealed);
        vm.assertTrue(follow(3, times(1011, 1020), times(1010, 1020), 1020).progress == Progress.XFailed);
        vm.assertTrue(follow(3, times(1010, 1020), times(1010, 1021), 1030).progress == Progress.YFailed);
    }

    function test_bothFail_theEarlierLimitCounts_andYOfEqualOnes() external {
        vm.assertTrue(follow(100, times(0, 0), times(0, 0), 1101).progress == Progress.YFailed);
        vm.warp(1200);
        Timeline memory timeline = Timeline({ progress: Progress.Waiting, from: 1000, leftX: 99, leftY: 100 });
        timeline.follow(INCREMENT, times(0, 0), times(0, 0));
        vm.assertTrue(timeline.progress == Progress.XFailed);
    }

    function test_revealBeforeTheMatch_countsAtItsStart() external {
        Timeline memory found = follow(100, times(1, 2), times(3, 4), 1000);
        vm.assertTrue(found.progress == Progress.Revealed);
        vm.assertTrue(found.from == 1000 && found.leftX == 100 && found.leftY == 100);
    }

    /// @dev Later reveals and later times change nothing that was over.
    function testFuzz_failure_isForEver(
        uint256 left,
        uint256[2] memory x,
        uint256[2] memory y,
        uint256 time,
        uint256 later
    ) external {
        left = bound(left, 0, 200);
        time = bound(time, 1000, 1500);
        later = bound(later, time, 2000);
        (uint256[] memory allX, uint256[] memory allY) = (bounded(x), bounded(y));
        Progress before = follow(left, until(allX, time), until(allY, time), time).progress;
        Progress after_ = follow(left, until(allX, later), until(allY, later), later).progress;
        if (before == Progress.XFailed || before == Progress.YFailed) {
            vm.assertTrue(after_ == before);
        }
        if (before == Progress.Revealed) vm.assertTrue(after_ == Progress.Revealed);
    }

    /// @dev A side that reveals each node as soon as it is asked never fails.
    function testFuzz_promptSide_neverFails(uint256 left, uint256[2] memory y, uint256 time) external {
        left = bound(left, 0, 200);
        time = bound(time, 1000, 1500);
        uint256[] memory theirs = until(bounded(y), time);
        uint256[] memory own = times(1000, theirs[0] < 1000 ? 1000 : theirs[0]);
        Progress asX = follow(left, own, theirs, time).progress;
        vm.assertTrue(asX != Progress.XFailed);
        Progress asY = follow(left, theirs, own, time).progress;
        vm.assertTrue(asY != Progress.YFailed);
    }

    function bounded(uint256[2] memory list) private pure returns (uint256[] memory) {
        return times(bound(list[0], 900, 1400), bound(list[1], 900, 1600));
    }

    /// @dev The reveals that were made by a time.
    function until(uint256[] memory list, uint256 time) private pure returns (uint256[] memory) {
        return times(list[0] <= time ? list[0] : 0, list[1] <= time ? list[1] : 0);
    }
}
