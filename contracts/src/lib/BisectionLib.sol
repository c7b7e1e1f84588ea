// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Bisection, Phase } from "../interfaces/IDispute.sol";

/// @notice What one side claims of a range, where the other agrees with the beginning alone.
struct Segment {
    /// What is answered by an answer to it; see Bisection.
    bytes32 answered;
    Phase phase;
    uint64 block;
    bytes32 agreedRoot;
    uint64 first;
    uint64 last;
    /// What both sides agree on at `first`.
    bytes32 start;
    /// What is claimed at `last`.
    bytes32 end;
}

/// @title BisectionLib
/// @notice The arithmetic of ranges that are divided again and again; see Bisection.
library BisectionLib {
    /// @notice Most parts that a range is divided into: with 32, the longest game has 13 bisections, and costs the least
    ///         of all that have no more than 14. `node contracts/gas.mjs` measures it.
    uint64 internal constant SEGMENTS_MAX = 32;

    /// @notice What stands for a bisection.
    function hash(Bisection memory self) internal pure returns (bytes32) {
        return keccak256(abi.encode(self));
    }

    /// @notice How many parts a range of `length` positions, at least 1, is divided into.
    function count(uint64 length) internal pure returns (uint64) {
        return _ceilDiv(length, _ceilDiv(length, SEGMENTS_MAX));
    }

    /// @notice How often a range of `length` positions, at least 1, is divided until its parts are single positions.
    function depth(uint64 length) internal pure returns (uint64 rounds) {
        for (; length > 1; ++rounds) {
            length = _ceilDiv(length, SEGMENTS_MAX);
        }
    }

    /// @notice A segment of a bisection, which must have it.
    function segmentAt(Bisection calldata self, uint64 index) internal pure returns (Segment memory segment) {
        uint64 stride = _ceilDiv(self.last - self.first, uint64(self.claims.length));
        segment.answered = hash(self);
        segment.phase = self.phase;
        segment.block = self.block;
        segment.agreedRoot = self.agreedRoot;
        segment.first = self.first + index * stride;
        segment.last = index + 1 == self.claims.length ? self.last : segment.first + stride;
        segment.start = index == 0 ? self.start : self.claims[index - 1];
        segment.end = self.claims[index];
    }

    function _ceilDiv(uint64 a, uint64 b) private pure returns (uint64) {
        return (a - 1) / b + 1;
    }
}
