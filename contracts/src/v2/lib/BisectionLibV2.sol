// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice One side's claims over a range of the machine's steps, at `steps` / 32, 2 * `steps` / 32, …, `steps`. A claim is
///         the hash of the machine's state. Both sides agree on the state at `first`; at the end the other side claimed
///         another one.
struct Bisection {
    /// Hash of the bisection that this one answers. In an accusation keccak256(abi.encode(claimX, claimY, leaf)).
    bytes32 answered;
    /// The block's leaf in the histories, which both sides agree on.
    uint64 leaf;
    /// The output root before the block, on which both sides agree.
    bytes32 before;
    /// The range's first step, and its number of steps, a power of 32.
    uint64 first;
    uint64 steps;
    /// The state at `first`.
    bytes32 start;
    bytes32[] claims;
}

/// @notice A part of a bisection: both sides agree on its start, and the bisection claims its end.
struct Segment {
    /// The value of Bisection.answered in an answer to this segment.
    bytes32 answered;
    uint64 leaf;
    bytes32 before;
    uint64 first;
    uint64 steps;
    bytes32 start;
    bytes32 end;
}

/// @title BisectionLibV2
/// @notice The arithmetic of bisections; see Bisection.
library BisectionLibV2 {
    /// @notice A bisection has SEGMENTS claims.
    error Bisection_WrongClaimCount(uint256 found);
    /// @notice The segment does not exist.
    error Bisection_NoSuchSegment(uint64 segment);
    /// @notice The bisection to answer is another one: somebody moved before, or L1 reorganised.
    error Bisection_Wrong(bytes32 expected, bytes32 found);
    /// @notice A single step cannot be divided: prove it.
    error Bisection_SingleStep();
    /// @notice The last claim is the other side's.
    error Bisection_SameClaim(bytes32 claim);

    /// @dev Parts of a range.
    uint64 internal constant SEGMENTS = 32;
    /// @dev Steps of the machine for a block: a game has 8 bisections.
    uint64 internal constant STEPS = 1 << 40;

    /// @notice The hash that games store of a bisection.
    function hash(Bisection memory self) internal pure returns (bytes32) {
        return keccak256(abi.encode(self));
    }

    /// @notice The segment at `index` of a bisection with a known hash.
    function segmentAt(Bisection calldata self, uint64 index, bytes32 expected)
        internal
        pure
        returns (Segment memory segment)
    {
        bytes32 found = hash(self);
        if (found != expected) revert Bisection_Wrong(expected, found);
        if (index >= SEGMENTS) revert Bisection_NoSuchSegment(index);
        uint64 steps = self.steps / SEGMENTS;
        segment = Segment({
            answered: found,
            leaf: self.leaf,
            before: self.before,
            first: self.first + index * steps,
            steps: steps,
            start: index == 0 ? self.start : self.claims[index - 1],
            end: self.claims[index]
        });
    }

    /// @notice The bisection of the mover's claims within a segment. Its last claim differs from the segment's end.
    function divide(Segment memory segment, bytes32[] calldata claims)
        internal
        pure
        returns (Bisection memory bisection)
    {
        if (segment.steps == 1) revert Bisection_SingleStep();
        if (claims.length != SEGMENTS) revert Bisection_WrongClaimCount(claims.length);
        bytes32 end = claims[SEGMENTS - 1];
        if (end == segment.end) revert Bisection_SameClaim(end);
        bisection = Bisection({
            answered: segment.answered,
            leaf: segment.leaf,
            before: segment.before,
            first: segment.first,
            steps: segment.steps,
            start: segment.start,
            claims: claims
        });
    }
}
