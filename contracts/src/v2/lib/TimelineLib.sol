// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the times of reveals say of a match.
enum Progress {
    /// Reveals are missing, and no time is over.
    Waiting,
    XFailed,
    YFailed,
    /// All reveals are complete.
    Revealed
}

/// @notice A match up to its last complete pair of reveals.
struct Timeline {
    Progress progress;
    /// Since when the next step is due.
    uint256 from;
    /// What the clocks have left.
    uint256 leftX;
    uint256 leftY;
}

/// @title TimelineLib
/// @notice The timeline of a match. No transaction opens a match or records its progress: it follows from when both
///         sides joined, what their clocks had left, when their nodes were revealed, and the time.
/// @dev A side that failed stays failed: later reveals change nothing that was over.
library TimelineLib {
    /// @notice Follows the reveals of both sides, in order; a time of 0 means that a node is not revealed.
    /// @param timeline What is known before the first reveal.
    function follow(
        Timeline memory timeline,
        uint256 increment,
        uint256[] memory revealedX,
        uint256[] memory revealedY
    ) internal view {
        for (uint256 i; i < revealedX.length; ++i) {
            (uint256 limitX, uint256 limitY) = (
                limit(timeline.from, timeline.leftX, increment),
                limit(timeline.from, timeline.leftY, increment)
            );
            (uint256 endX, uint256 endY) =
                (_end(timeline.from, revealedX[i]), _end(timeline.from, revealedY[i]));
            (bool lateX, bool lateY) = (_isLate(endX, limitX), _isLate(endY, limitY));
            // Both: the earlier limit fails; of equal ones y's.
            if (lateX && (!lateY || limitX < limitY)) {
                timeline.progress = Progress.XFailed;
                return;
            }
            if (lateY) {
                timeline.progress = Progress.YFailed;
                return;
            }
            if (endX == 0 || endY == 0) return;
            timeline.leftX = _less(timeline.leftX, endX - timeline.from);
            timeline.leftY = _less(timeline.leftY, endY - timeline.from);
            timeline.from = endX > endY ? endX : endY;
        }
        timeline.progress = Progress.Revealed;
    }

    /// @notice Until when a side has to act whose clock has `left` since `from`.
    function limit(uint256 from, uint256 left, uint256 increment) internal pure returns (uint256) {
        return from + (left > increment ? left : increment);
    }

    function _end(uint256 from, uint256 revealed) private pure returns (uint256) {
        return revealed != 0 && revealed < from ? from : revealed;
    }

    function _isLate(uint256 end, uint256 until) private view returns (bool) {
        return end == 0 ? block.timestamp > until : end > until;
    }

    function _less(uint256 left, uint256 used) private pure returns (uint256) {
        return left > used ? left - used : 0;
    }
}
