// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Bisection, Phase } from "../interfaces/IDispute.sol";

/// @notice A disputed range of positions: both sides agree on its start, and one side claims its end.
struct Segment {
    /// The value of Bisection.answered in an answer to this segment.
    bytes32 answered;
    Phase phase;
    uint64 block;
    bytes32 agreedRoot;
    uint64 first;
    uint64 last;
    /// The agreed claim at `first`.
    bytes32 start;
    /// The disputed claim at `last`.
    bytes32 end;
}

/// @title BisectionLib
/// @notice The arithmetic of bisections; see Bisection.
library BisectionLib {
    /// @notice Maximum number of parts of a range. With 32 the longest game has 13 bisections. Of all numbers
    ///         with at most 14 bisections, 32 costs the least gas, as `node contracts/gas.mjs` measures.
    uint64 internal constant SEGMENTS_MAX = 32;

    /// @notice The hash that games store of a bisection.
    function hash(Bisection memory self) internal pure returns (bytes32) {
        return keccak256(abi.encode(self));
    }

    /// @notice Number of parts of a range of `length` positions, at least 1.
    function count(uint64 length) internal pure returns (uint64) {
        return _ceilDiv(length, _ceilDiv(length, SEGMENTS_MAX));
    }

    /// @notice Number of bisections until a range of `length` positions, at least 1, has single positions as
    ///         parts.
    function depth(uint64 length) internal pure returns (uint64 rounds) {
        for (; length > 1; ++rounds) {
            length = _ceilDiv(length, SEGMENTS_MAX);
        }
    }

    /// @notice The segment at `index`. The caller has checked that the bisection has it.
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
