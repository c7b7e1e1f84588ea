// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { HistoryLib, Path, PathNodes } from "../../src/v2/lib/HistoryLib.sol";
import { Test } from "../utils/Test.sol";

/// @title HistoryHarness
/// @notice Calls the library with calldata.
contract HistoryHarness {
    function climb(Path calldata path, uint256 depth, bytes32 rootX, bytes32 rootY)
        external
        pure
        returns (PathNodes memory)
    {
        return HistoryLib.climb(path, depth, rootX, rootY);
    }

    function checkLeaf(bytes32 root, uint256 depth, uint256 index, bytes32 leaf, bytes32[] calldata siblings)
        external
        pure
    {
        HistoryLib.checkLeaf(root, depth, index, leaf, siblings);
    }

    function nodeAbove(bytes32[] calldata children) external pure returns (bytes32, uint256) {
        return HistoryLib.nodeAbove(children);
    }
}

/// @title HistoryLibTest
/// @notice Paths to the first difference, leaves, and reveals.
contract HistoryLibTest is Test {
    HistoryHarness private immutable HARNESS = new HistoryHarness();

    /// @dev A path from two nodes upward with made-up siblings, and the roots that it leads to.
    function pathUp(uint256 seed, uint256 level, uint256 index)
        private
        pure
        returns (Path memory path, bytes32 x, bytes32 y)
    {
        (path.depth, path.index) = (level, index);
        (path.nodeX, path.nodeY) = (word(seed, 1000), word(seed, 1001));
        (x, y) = (path.nodeX, path.nodeY);
        bytes32[] memory words = new bytes32[](2 * level);
        uint256 used;
        for (uint256 i; i < level; ++i) {
            words[used] = word(seed, used);
            if ((index >> i) & 1 == 1) {
                (x, y) = (pair(words[used], x), pair(words[used], y));
                used += 1;
            } else {
                words[used + 1] = word(seed, used + 1);
                (x, y) = (pair(x, words[used]), pair(y, words[used + 1]));
                used += 2;
            }
        }
        path.words = new bytes32[](used);
        for (uint256 i; i < used; ++i) {
            path.words[i] = words[i];
        }
    }

    function word(uint256 seed, uint256 number) private pure returns (bytes32) {
        return keccak256(abi.encode(seed, number));
    }

    function pair(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encode(left, right));
    }

    /// @dev Depths that count in a history: those whose nodes are revealed, and the leaves.
    function endOf(uint256 seed, uint256 depth) private pure returns (uint256) {
        uint256 reveals = (depth - 1) / 6 + 1;
        uint256 chosen = seed % (reveals + 1);
        return chosen == reveals ? depth : 6 * chosen;
    }

    function testFuzz_climb_acceptsThePath_andNoOtherWord(uint256 seed, uint256 depth) external {
        depth = bound(depth, 1, 28);
        uint256 level = endOf(seed, depth);
        uint256 index = uint256(keccak256(abi.encode(seed))) % (1 << level);
        (Path memory path, bytes32 x, bytes32 y) = pathUp(seed, level, index);
        PathNodes memory nodes = HARNESS.climb(path, depth, x, y);
        vm.assertEq(nodes.count, (level < depth ? level : depth - 1) / 6 + 1);
        vm.assertEq(nodes.x[0], x);
        vm.assertEq(nodes.y[0], y);
        if (level % 6 == 0 && level < depth) vm.assertEq(nodes.x[level / 6], path.nodeX);

        if (path.words.length != 0) {
            uint256 changed = seed % path.words.length;
            bytes32 before = path.words[changed];
            path.words[changed] = ~before;
            expectRevertOf(path, depth, x, y);
            path.words[changed] = before;
        }
        if (level != 0) {
            path.index ^= 1 << (seed % level);
            expectRevertOf(path, depth, x, y);
            path.index = index;
        }
        path.nodeX = ~path.nodeX;
        expectRevertOf(path, depth, x, y);
    }

    function expectRevertOf(Path memory path, uint256 depth, bytes32 x, bytes32 y) private {
        vm.expectRevert();
        HARNESS.climb(path, depth, x, y);
    }

    function test_climb_longestPath_has56Words() external view {
        (Path memory path, bytes32 x, bytes32 y) = pathUp(1, 28, 0);
        vm.assertEq(path.words.length, 56);
        vm.assertEq(HARNESS.climb(path, 28, x, y).count, 5);
        (path, x, y) = pathUp(1, 28, (1 << 28) - 1);
        vm.assertEq(path.words.length, 28);
        HARNESS.climb(path, 28, x, y);
    }

    function test_climb_atTheRoot() external {
        (Path memory path, bytes32 x, bytes32 y) = pathUp(1, 0, 0);
        vm.assertEq(HARNESS.climb(path, 28, x, y).count, 1);
        path.nodeY = path.nodeX;
        vm.expectRevert(abi.encodeWithSelector(HistoryLib.History_SameNodes.selector, x));
        HARNESS.climb(path, 28, x, x);
    }

    function test_climb_wrongEnds_revert() external {
        (Path memory path, bytes32 x, bytes32 y) = pathUp(1, 5, 3);
        vm.expectRevert(abi.encodeWithSelector(HistoryLib.History_WrongDepth.selector, 5));
        HARNESS.climb(path, 28, x, y);
        // Depth 5 counts where the leaves are.
        HARNESS.climb(path, 5, x, y);
        path.index = 32 + 3;
        vm.expectRevert(abi.encodeWithSelector(HistoryLib.History_WrongIndex.selector, 35));
        HARNESS.climb(path, 5, x, y);
        (path, x, y) = pathUp(1, 12, 3);
        vm.expectRevert(abi.encodeWithSelector(HistoryLib.History_WrongDepth.selector, 12));
        HARNESS.climb(path, 11, x, y);
    }

    function test_climb_wordsTooManyOrTooFew_revert() external {
        (Path memory path, bytes32 x, bytes32 y) = pathUp(1, 6, 20);
        bytes32[] memory words = path.words;
        path.words = new bytes32[](words.length + 1);
        for (uint256 i; i < words.length; ++i) {
            path.words[i] = words[i];
        }
        vm.expectRevert(abi.encodeWithSelector(HistoryLib.History_WrongLength.selector, words.length + 1));
        HARNESS.climb(path, 28, x, y);
        path.words = new bytes32[](words.length - 1);
        vm.expectRevert(abi.encodeWithSelector(HistoryLib.History_WrongLength.selector, words.length - 1));
        HARNESS.climb(path, 28, x, y);
    }

    function test_climb_eachRootIsChecked() external {
        (Path memory path, bytes32 x, bytes32 y) = pathUp(1, 6, 20);
        vm.expectRevert(abi.encodeWithSelector(HistoryLib.History_WrongRoot.selector, ~x, x));
        HARNESS.climb(path, 28, ~x, y);
        vm.expectRevert(abi.encodeWithSelector(HistoryLib.History_WrongRoot.selector, ~y, y));
        HARNESS.climb(path, 28, x, ~y);
    }

    function testFuzz_checkLeaf(uint256 seed, uint256 depth, uint256 index) external {
        depth = bound(depth, 1, 28);
        index = bound(index, 0, (1 << depth) - 1);
        bytes32[] memory siblings = new bytes32[](depth);
        bytes32 node = word(seed, 100);
        for (uint256 i; i < depth; ++i) {
            siblings[i] = word(seed, i);
            node = (index >> i) & 1 == 1 ? pair(siblings[i], node) : pair(node, siblings[i]);
        }
        HARNESS.checkLeaf(node, depth, index, word(seed, 100), siblings);
        vm.expectRevert();
        HARNESS.checkLeaf(node, depth, index ^ 1, word(seed, 100), siblings);
        vm.expectRevert();
        HARNESS.checkLeaf(node, depth, index, word(seed, 101), siblings);
        vm.expectRevert(abi.encodeWithSelector(HistoryLib.History_WrongIndex.selector, index | 1 << depth));
        HARNESS.checkLeaf(node, depth, index | 1 << depth, word(seed, 100), siblings);
        siblings = new bytes32[](depth + 1);
        vm.expectRevert(abi.encodeWithSelector(HistoryLib.History_WrongLength.selector, depth + 1));
        HARNESS.checkLeaf(node, depth, index, word(seed, 100), siblings);
    }

    function test_nodeAbove_powersOfTwoUpTo64() external {
        for (uint256 count; count < 130; ++count) {
            bytes32[] memory children = new bytes32[](count);
            bool isPower = count > 1 && count <= 64 && count & (count - 1) == 0;
            if (!isPower) {
                vm.expectRevert(abi.encodeWithSelector(HistoryLib.History_WrongChildren.selector, count));
                HARNESS.nodeAbove(children);
                continue;
            }
            for (uint256 i; i < count; ++i) {
                children[i] = word(7, i);
            }
            (bytes32 node, uint256 width) = HARNESS.nodeAbove(children);
            vm.assertEq(uint256(1) << width, count);
            vm.assertEq(node, nodeOf(0, count));
        }
    }

    function nodeOf(uint256 first, uint256 count) private pure returns (bytes32) {
        if (count == 1) return word(7, first);
        return pair(nodeOf(first, count / 2), nodeOf(first + count / 2, count / 2));
    }

    function test_depthOf() external pure {
        uint256[2][8] memory cases = [
            [uint256(1), 1],
            [uint256(2), 1],
            [uint256(3), 2],
            [uint256(4), 2],
            [uint256(5), 3],
            [uint256((1 << 27) + 1), 28],
            [uint256((1 << 28) - 1), 28],
            [uint256(1 << 28), 28]
        ];
        for (uint256 i; i < cases.length; ++i) {
            vm.assertEq(HistoryLib.depthOf(cases[i][0]), cases[i][1]);
        }
    }
}
