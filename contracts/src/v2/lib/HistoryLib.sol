// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { EfficientHashLib } from "solady/utils/EfficientHashLib.sol";

/// @notice The way from two nodes that differ up to the roots of two histories.
struct Path {
    /// Depth of the two nodes, and their index there.
    uint256 depth;
    uint256 index;
    bytes32 nodeX;
    bytes32 nodeY;
    /// From the nodes upward: one word for each turn to the right, the sibling that both share, and two for each turn
    /// to the left, x's and y's.
    bytes32[] words;
}

/// @notice The nodes of a path whose children have to be revealed, at depths 0, REVEAL_WIDTH, …
struct PathNodes {
    uint256 count;
    bytes32[5] x;
    bytes32[5] y;
}

/// @title HistoryLib
/// @notice Histories: binary trees over the output roots of a range's blocks; see IRollupV2. A parent is the hash of its
///         two children.
library HistoryLib {
    /// @notice The path's end does not count: it is not at a depth whose children are revealed, nor a leaf.
    error History_WrongDepth(uint256 depth);
    /// @notice The index is not below 2^depth.
    error History_WrongIndex(uint256 index);
    /// @notice The two nodes at the path's end are equal.
    error History_SameNodes(bytes32 node);
    /// @notice The path, or the list of siblings, has another number of words.
    error History_WrongLength(uint256 found);
    /// @notice The nodes do not lead to this root.
    error History_WrongRoot(bytes32 expected, bytes32 found);
    /// @notice Only a power of two from 2 to 64 children can be revealed.
    error History_WrongChildren(uint256 count);

    /// @dev Levels that a reveal shows.
    uint256 internal constant REVEAL_WIDTH = 6;

    /// @notice Depth of a history with this many positions, at least 1.
    function depthOf(uint256 positions) internal pure returns (uint256 depth) {
        depth = 1;
        while (1 << depth < positions) ++depth;
    }

    /// @notice Levels that the reveal of a node shows.
    function widthAt(uint256 level, uint256 depth) internal pure returns (uint256) {
        return depth - level < REVEAL_WIDTH ? depth - level : REVEAL_WIDTH;
    }

    /// @notice The node above some children, and how many levels above.
    function nodeAbove(bytes32[] calldata children) internal pure returns (bytes32 node, uint256 width) {
        while (1 << width < children.length) ++width;
        bool well = width != 0 && width <= REVEAL_WIDTH && 1 << width == children.length;
        if (!well) revert History_WrongChildren(children.length);
        bytes32[] memory row = children;
        for (uint256 count = row.length / 2; count != 0; count /= 2) {
            for (uint256 i; i < count; ++i) {
                row[i] = EfficientHashLib.hash(row[2 * i], row[2 * i + 1]);
            }
        }
        node = row[0];
    }

    /// @notice Checks that a leaf is in a history.
    function checkLeaf(bytes32 root, uint256 depth, uint256 index, bytes32 leaf, bytes32[] calldata siblings)
        internal
        pure
    {
        if (siblings.length != depth) revert History_WrongLength(siblings.length);
        if (index >> depth != 0) revert History_WrongIndex(index);
        bytes32 node = leaf;
        for (uint256 level; level < depth; ++level) {
            node = (index >> level) & 1 == 1
                ? EfficientHashLib.hash(siblings[level], node)
                : EfficientHashLib.hash(node, siblings[level]);
        }
        if (node != root) revert History_WrongRoot(root, node);
    }

    /// @notice Checks that a path leads to the roots of two histories of this depth. Left of the path both are then the
    ///         same, so its end is the first node at its depth in which they differ.
    /// @return nodes The nodes on it whose children are revealed.
    function climb(Path calldata path, uint256 depth, bytes32 rootX, bytes32 rootY)
        internal
        pure
        returns (PathNodes memory nodes)
    {
        uint256 level = path.depth;
        _checkEnd(path, depth);
        nodes.count = (level < depth ? level : depth - 1) / REVEAL_WIDTH + 1;

        (bytes32 x, bytes32 y) = (path.nodeX, path.nodeY);
        uint256 used;
        while (true) {
            if (level < depth && level % REVEAL_WIDTH == 0) {
                (nodes.x[level / REVEAL_WIDTH], nodes.y[level / REVEAL_WIDTH]) = (x, y);
            }
            if (level == 0) break;
            bool isRight = (path.index >> (path.depth - level)) & 1 == 1;
            (x, y, used) = _parents(x, y, isRight, path.words, used);
            --level;
        }
        if (used != path.words.length) revert History_WrongLength(path.words.length);
        if (x != rootX) revert History_WrongRoot(rootX, x);
        if (y != rootY) revert History_WrongRoot(rootY, y);
    }

    function _checkEnd(Path calldata path, uint256 depth) private pure {
        uint256 level = path.depth;
        bool counts = level == depth || (level < depth && level % REVEAL_WIDTH == 0);
        if (!counts) revert History_WrongDepth(level);
        if (path.index >> level != 0) revert History_WrongIndex(path.index);
        if (path.nodeX == path.nodeY) revert History_SameNodes(path.nodeX);
    }

    /// @dev The nodes above x and y, with the words that this takes.
    function _parents(bytes32 x, bytes32 y, bool isRight, bytes32[] calldata words, uint256 used)
        private
        pure
        returns (bytes32 parentX, bytes32 parentY, uint256 usedAfter)
    {
        usedAfter = used + (isRight ? 1 : 2);
        if (usedAfter > words.length) revert History_WrongLength(words.length);
        bytes32 word = words[used];
        if (isRight) return (EfficientHashLib.hash(word, x), EfficientHashLib.hash(word, y), usedAfter);
        parentX = EfficientHashLib.hash(x, word);
        parentY = EfficientHashLib.hash(y, words[used + 1]);
    }
}
