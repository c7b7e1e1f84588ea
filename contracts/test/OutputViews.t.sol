// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { OutputProposal } from "../src/interfaces/IL2OutputOracle.sol";
import { IRollup } from "../src/interfaces/IRollup.sol";
import { RollupFixture } from "./utils/RollupFixture.sol";

/// @notice The views of the OP stack's L2OutputOracle.
contract OutputViewsTest is RollupFixture {
    /// @dev viem matches on this text.
    bytes private constant NOT_PROPOSED = abi.encodeWithSignature(
        "Error(string)", "L2OutputOracle: cannot get output for a block that has not been proposed"
    );

    /// @dev Proposes an output one entry and ten blocks after its parent.
    function proposeTen(uint256 parentIndex, string memory salt) private returns (uint256) {
        uint64 entry = rollup.output(parentIndex).entry + 1;
        uint64 l2BlockNumber = rollup.output(parentIndex).l2BlockNumber + 10;
        return propose(proposalOn(parentIndex, entry, l2BlockNumber, salt));
    }

    function test_views_beforeAnyProposal() public {
        vm.assertEq(rollup.latestOutputIndex(), 0);
        vm.assertEq(rollup.latestBlockNumber(), 0);
        vm.assertEq(rollup.nextOutputIndex(), 1);
        vm.assertEq(rollup.nextBlockNumber(), 1);
        vm.assertEq(rollup.startingBlockNumber(), 0);
        vm.assertEq(rollup.startingTimestamp(), START_TIME);
        vm.assertEq(rollup.getL2OutputIndexAfter(0), 0);
        vm.expectRevert(NOT_PROPOSED);
        rollup.getL2OutputIndexAfter(1);
    }

    function test_constants_haveBothNames() public view {
        vm.assertEq(rollup.FINALIZATION_PERIOD_SECONDS(), WINDOW);
        vm.assertEq(rollup.finalizationPeriodSeconds(), WINDOW);
        vm.assertEq(rollup.L2_BLOCK_TIME(), 1);
        vm.assertEq(rollup.l2BlockTime(), 1);
        vm.assertEq(rollup.SUBMISSION_INTERVAL(), rollup.submissionInterval());
    }

    function test_getL2Output_returnsTheOutput() public {
        vm.warp(START_TIME + 7);
        uint256 index = proposeTen(0, "a");
        OutputProposal memory found = rollup.getL2Output(index);
        vm.assertEq(found.outputRoot, rollup.output(index).outputRoot);
        vm.assertEq(found.timestamp, START_TIME + 7);
        vm.assertEq(found.l2BlockNumber, 10);
        vm.assertEq(rollup.getL2OutputAfter(10).outputRoot, found.outputRoot);
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_UnknownOutput.selector, 2, 2));
        rollup.getL2Output(2);
    }

    /// @dev The views return the same whether no output, some outputs or all outputs are final.
    function test_getL2OutputIndexAfter_isFirstCoveringOutput() public {
        uint256 parent;
        for (uint256 i; i < 5; ++i) {
            vm.warp(START_TIME + i);
            parent = proposeTen(parent, vm.toString(i));
        }
        for (uint256 finals; finals <= 5; ++finals) {
            if (finals != 0) {
                vm.warp(START_TIME + finals - 1 + WINDOW);
                rollup.finalize(finals);
            }
            for (uint256 number; number <= 50; ++number) {
                vm.assertEq(rollup.getL2OutputIndexAfter(number), (number + 9) / 10);
            }
            vm.assertEq(rollup.latestOutputIndex(), 5);
            vm.assertEq(rollup.latestBlockNumber(), 50);
            vm.assertEq(rollup.nextBlockNumber(), 51);
            vm.expectRevert(NOT_PROPOSED);
            rollup.getL2OutputIndexAfter(51);
        }
    }

    function test_latestOutput_hasTheLatestEntry() public {
        uint256 first = proposeTen(0, "first");
        proposeTen(0, "rival of the first");
        vm.assertEq(rollup.latestOutputIndex(), first);
        uint256 later = propose(proposalOn(0, 2, 15, "later"));
        vm.assertEq(rollup.latestOutputIndex(), later);
        vm.assertEq(rollup.getL2OutputIndexAfter(5), later);
    }

    function test_challengedOutput_andDescendants_areSkipped() public {
        uint256 first = proposeTen(0, "first");
        uint256 lie = proposeTen(first, "lie");
        uint256 onLie = proposeTen(lie, "on the lie");
        vm.assertEq(rollup.getL2OutputIndexAfter(11), lie);
        challenge(lie);
        vm.assertTrue(rollup.isDisputed(lie));
        vm.assertTrue(rollup.isDisputed(onLie));
        vm.assertEq(rollup.isDisputed(first), false);
        vm.assertEq(rollup.latestOutputIndex(), first);
        vm.expectRevert(NOT_PROPOSED);
        rollup.getL2OutputIndexAfter(11);

        uint256 honest = proposeTen(first, "honest");
        vm.assertEq(rollup.latestOutputIndex(), honest);
        vm.assertEq(rollup.getL2OutputIndexAfter(11), honest);
        vm.assertEq(rollup.getL2OutputIndexAfter(10), first);
    }

    /// @dev After a failed challenge the branch is restored. A rejected output and its descendants never
    ///      return.
    function test_failedChallenge_restoresTheBranch() public {
        uint256 first = proposeTen(0, "first");
        uint256 second = proposeTen(first, "second");
        challenge(first);
        vm.assertEq(rollup.latestOutputIndex(), 0);
        uphold(first);
        vm.assertEq(rollup.isDisputed(second), false);
        vm.assertEq(rollup.latestOutputIndex(), second);
        vm.assertEq(rollup.getL2OutputIndexAfter(11), second);

        challenge(first);
        reject(first);
        vm.assertTrue(rollup.isDisputed(second));
        vm.assertEq(rollup.latestOutputIndex(), 0);
        vm.warp(START_TIME + WINDOW);
        rollup.voidOutput(second);
        vm.assertTrue(rollup.isDisputed(second));
        vm.assertEq(rollup.latestOutputIndex(), 0);
        vm.expectRevert(NOT_PROPOSED);
        rollup.getL2OutputIndexAfter(1);
    }

    /// @dev A wrong output that is not challenged yet does not affect final outputs.
    function test_finalChain_isPreferred() public {
        uint256 first = proposeTen(0, "first");
        vm.warp(START_TIME + WINDOW);
        uint256 lie = propose(proposalOn(0, 5, 3, "lie"));
        rollup.finalize(first);
        vm.assertEq(rollup.latestOutputIndex(), lie);
        vm.assertEq(rollup.getL2OutputIndexAfter(3), first);
        vm.assertEq(rollup.getL2OutputIndexAfter(10), first);
        vm.assertEq(rollup.isDisputed(first), false);
    }

    function test_submissionInterval_isShortestOfRecentOutputs() public {
        vm.assertEq(rollup.submissionInterval(), 1);
        vm.warp(START_TIME + 40);
        vm.assertEq(rollup.submissionInterval(), 40);
        uint256 parent;
        uint256[6] memory gaps = [uint256(5), 100, 60, 300, 90, 80];
        for (uint256 i; i < gaps.length; ++i) {
            vm.warp(block.timestamp + gaps[i]);
            parent = proposeTen(parent, vm.toString(i));
        }
        vm.assertEq(rollup.submissionInterval(), 60);
        proposeTen(parent, "at once");
        vm.assertEq(rollup.submissionInterval(), 1);
    }

    function test_finalize_longChainAtOnce() public {
        uint256 parent;
        for (uint256 i; i < 60; ++i) {
            parent = proposeTen(parent, vm.toString(i));
        }
        vm.warp(START_TIME + WINDOW);
        rollup.finalize(parent);
        vm.assertEq(rollup.lastFinalIndex(), 60);
        vm.assertEq(rollup.bondCredit(PROPOSER), 60 * PROPOSER_BOND);
        vm.assertEq(rollup.getL2OutputIndexAfter(595), 60);
    }
}
