// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Entry, IInbox } from "../../src/interfaces/IInbox.sol";
import { RollupV2 } from "../../src/v2/RollupV2.sol";
import {
    Contender,
    IRollupV2,
    Proposal,
    Range,
    RollupConfig,
    Status
} from "../../src/v2/interfaces/IRollupV2.sol";
import { HistoryLib } from "../../src/v2/lib/HistoryLib.sol";
import { Headers } from "../utils/Headers.sol";
import { Belief, DisputeV2Fixture } from "./utils/DisputeV2Fixture.sol";

/// @title RollupV2Test
/// @notice Ranges, claims, the end of windows, and bonds.
contract RollupV2Test is DisputeV2Fixture {
    uint64 private constant LIE_AT = 37;

    function proposeReverts(bytes memory reason, Proposal memory proposal) private {
        vm.expectRevert(reason);
        vm.prank(HONEST);
        rollup.propose{ value: BOND }(proposal);
    }

    function rightProposal() private returns (Proposal memory proposal) {
        setRoots();
        (proposal,) = proposalOf(0, truth());
    }

    // --- deployment

    function test_constructor_checksItsConfiguration() external {
        RollupConfig memory config = rollupConfig();
        config.gameClock = config.challengeWindow + 1;
        deployReverts(config);
        config = rollupConfig();
        config.gameClock = 0;
        deployReverts(config);
        config = rollupConfig();
        config.outputInterval = 0;
        deployReverts(config);
        config = rollupConfig();
        config.proposerBond = 0;
        deployReverts(config);
        config = rollupConfig();
        config.blocksPerEntryMax = 100;
        deployReverts(config);
        config.blocksPerEntryMax = 256;
        config.entriesPerOutputMax = (1 << 20) + 1;
        deployReverts(config);
        config.entriesPerOutputMax = 1 << 20;
        new RollupV2(IInbox(address(inbox)), address(1), address(2), GENESIS_ROOT, config);
    }

    function deployReverts(RollupConfig memory config) private {
        vm.expectRevert(IRollupV2.Rollup_BadConfig.selector);
        new RollupV2(IInbox(address(inbox)), address(1), address(2), GENESIS_ROOT, config);
    }

    function test_genesis_isFinal() external view {
        assertStatus(0, Status.Final);
        vm.assertEq(rollup.lastFinalIndex(), 0);
        vm.assertEq(uint256(rollup.lastFinalAt()), START_TIME);
        vm.assertEq(rollup.output(0).outputRoot, GENESIS_ROOT);
    }

    // --- the range

    function test_propose_recordsTheChild() external {
        uint256 index = propose(HONEST, 0, truth());
        Contender memory child = rollup.contender(index);
        vm.assertEq(child.tournament, 0);
        vm.assertTrue(child.seat == 0 && child.round == 0 && child.since == block.timestamp);
        vm.assertEq(uint256(child.left), CLOCK);
        Range memory range = rollup.range(0);
        vm.assertTrue(range.entry == 5 && range.positions == 80 && range.depth == 7);
        vm.assertTrue(range.count == 1 && range.standing == 1 && range.xor == index && range.winner == 0);
        vm.assertEq(
            rollup.output(index).claim,
            keccak256(
                abi.encode(
                    uint64(0),
                    rollup.output(0).claim,
                    uint64(5),
                    inbox.acc(5),
                    rollup.output(index).outputRoot,
                    trees[index][1]
                )
            )
        );
        vm.assertEq(rollup.indexOf(rollup.output(index).claim), index);
    }

    function test_propose_beforeTheIntervalIsOver_reverts() external {
        Proposal memory proposal = rightProposal();
        uint64 endsAt = uint64(START_TIME) + INTERVAL;
        vm.warp(endsAt);
        proposeReverts(abi.encodeWithSelector(IRollupV2.Rollup_RangeOpen.selector, 0, endsAt), proposal);
        vm.warp(endsAt + 1);
        propose(HONEST, 0, truth());
    }

    function test_propose_fullRange_atOnce() external {
        deploy(4);
        for (uint256 i; i < 4; ++i) {
            inbox.append(uint64(block.timestamp));
        }
        // Nine entries, of which an output covers eight; none of them waits for the interval.
        vm.warp(START_TIME + 10);
        uint256 index = propose(HONEST, 0, truth());
        vm.assertEq(uint256(rollup.output(index).entry), ENTRIES_MAX);
        vm.assertEq(uint256(rollup.range(0).positions), ENTRIES_MAX * BLOCKS);
    }

    function test_propose_lastEntryInTime_endsTheRange() external {
        // One entry in the interval's last second, and one a second later.
        inbox.append(uint64(START_TIME) + INTERVAL);
        inbox.append(uint64(START_TIME) + INTERVAL + 1);
        vm.assertEq(uint256(entryAfter(0)), 6);
        setRoots();
        (Proposal memory proposal,) = proposalOf(0, truth());
        for (uint64 entry = 5; entry < 8; entry += 2) {
            Proposal memory other = proposalAt(proposal, entry);
            proposeReverts(abi.encodeWithSelector(IRollupV2.Rollup_WrongEntry.selector, entry, 0), other);
        }
        propose(HONEST, 0, truth());
    }

    /// @dev The same proposal with another entry, opened as it has to be.
    function proposalAt(Proposal memory proposal, uint64 entry) private view returns (Proposal memory other) {
        other = proposal;
        other.entry = entry;
        other.expectedAcc = inbox.acc(entry);
        bool hasNext = entry + 1 < inbox.entryCount();
        other.rangeProof = new Entry[](hasNext ? 2 : 1);
        other.rangeProof[0] = inbox.entryAt(entry);
        if (hasNext) other.rangeProof[1] = inbox.entryAt(entry + 1);
    }

    function test_propose_firstEntryAfterTheInterval_isTheRange() external {
        uint256 parent = propose(HONEST, 0, truth());
        vm.warp(block.timestamp + 3 * INTERVAL);
        inbox.append(uint64(block.timestamp));
        inbox.append(uint64(block.timestamp));
        // Both come after the parent's interval: the range is the first one alone.
        vm.assertEq(uint256(entryAfter(parent)), 6);
        uint256 child = propose(HONEST, parent, truth());
        vm.assertEq(uint256(rollup.output(child).entry), 6);
        vm.assertEq(uint256(rollup.range(parent).positions), BLOCKS);
    }

    function test_propose_entriesOutsideTheRange_revert() external {
        Proposal memory proposal = rightProposal();
        proposal.entry = 0;
        proposeReverts(abi.encodeWithSelector(IRollupV2.Rollup_WrongEntry.selector, 0, 0), proposal);
        proposal.entry = ENTRIES_MAX + 1;
        proposeReverts(
            abi.encodeWithSelector(IRollupV2.Rollup_WrongEntry.selector, ENTRIES_MAX + 1, 0), proposal
        );
    }

    function test_propose_rangeProofThatDoesNotFit_reverts() external {
        Proposal memory proposal = rightProposal();
        Entry[] memory opened = proposal.rangeProof;
        proposal.rangeProof = new Entry[](2);
        proposeReverts(abi.encodeWithSelector(IRollupV2.Rollup_WrongRangeProof.selector, 1, 2), proposal);
        proposal.rangeProof = new Entry[](0);
        proposeReverts(abi.encodeWithSelector(IRollupV2.Rollup_WrongRangeProof.selector, 1, 0), proposal);
        // Another time than the inbox recorded.
        opened[0].l1Time += 1;
        proposal.rangeProof = opened;
        bytes32 found = keccak256(abi.encode(inbox.acc(4), opened[0]));
        proposeReverts(
            abi.encodeWithSelector(IRollupV2.Rollup_WrongAcc.selector, 5, inbox.acc(5), found), proposal
        );
    }

    function test_propose_onAnotherFork_reverts() external {
        Proposal memory proposal = rightProposal();
        proposal.expectedAcc = keccak256("another");
        proposeReverts(
            abi.encodeWithSelector(IRollupV2.Rollup_WrongAcc.selector, 5, keccak256("another"), inbox.acc(5)),
            proposal
        );
        proposal = rightProposal();
        proposal.parentClaim = keccak256("another");
        proposeReverts(
            abi.encodeWithSelector(
                IRollupV2.Rollup_WrongClaim.selector, 0, keccak256("another"), rollup.output(0).claim
            ),
            proposal
        );
    }

    function test_propose_unknownParent_reverts() external {
        Proposal memory proposal = rightProposal();
        proposal.parentIndex = 1;
        proposeReverts(abi.encodeWithSelector(IRollupV2.Rollup_UnknownOutput.selector, 1, 1), proposal);
    }

    function test_propose_withAnotherBond_reverts() external {
        Proposal memory proposal = rightProposal();
        vm.expectRevert(abi.encodeWithSelector(IRollupV2.Rollup_WrongBond.selector, BOND, BOND - 1));
        vm.prank(HONEST);
        rollup.propose{ value: BOND - 1 }(proposal);
    }

    // --- what the claim binds

    function test_propose_lastLeafIsTheOutputRoot() external {
        Proposal memory proposal = rightProposal();
        proposal.siblings = new bytes32[](6);
        proposeReverts(abi.encodeWithSelector(HistoryLib.History_WrongLength.selector, 6), proposal);
        proposal = rightProposal();
        proposal.siblings[3] = 0;
        vm.expectRevert();
        rollup.propose{ value: BOND }(proposal);
        proposal = rightProposal();
        proposal.history = keccak256("another");
        vm.expectRevert();
        rollup.propose{ value: BOND }(proposal);
    }

    function test_propose_outputRootIsOfItsHeader() external {
        Proposal memory proposal = rightProposal();
        proposal.outputProof.version = bytes32(uint256(1));
        proposeReverts(
            abi.encodeWithSelector(IRollupV2.Rollup_UnknownVersion.selector, bytes32(uint256(1))), proposal
        );
        proposal = rightProposal();
        proposal.header = Headers.encode(0, Headers.encodeNumber(5), 0);
        proposeReverts(
            abi.encodeWithSelector(
                IRollupV2.Rollup_WrongHeaderHash.selector,
                proposal.outputProof.latestBlockhash,
                keccak256(proposal.header)
            ),
            proposal
        );
        proposal = rightProposal();
        bytes32 stateRoot = proposal.outputProof.stateRoot;
        proposal.outputProof.stateRoot = 0;
        proposeReverts(
            abi.encodeWithSelector(IRollupV2.Rollup_WrongStateRoot.selector, bytes32(0), stateRoot), proposal
        );
    }

    function test_propose_sameClaimTwice_reverts() external {
        uint256 index = propose(LIAR, 0, lie(LIE_AT, "lie"));
        (Proposal memory proposal,) = proposalOf(0, lie(LIE_AT, "lie"));
        proposeReverts(
            abi.encodeWithSelector(
                IRollupV2.Rollup_DuplicateClaim.selector, rollup.output(index).claim, index
            ),
            proposal
        );
    }

    function test_propose_l2BlockMayStay_andMayNotGoBack() external {
        uint256 parent = propose(HONEST, 0, truth());
        vm.assertEq(uint256(rollup.output(parent).l2BlockNumber), 5);
        vm.warp(block.timestamp + INTERVAL + 1);
        inbox.append(uint64(block.timestamp));
        setRoots();
        // A range that comes to nothing new repeats the parent's output.
        Belief memory nothing = truth();
        (Proposal memory proposal,) = proposalOf(parent, nothing);
        proposal.header = headerOf(nothing, 4);
        proposal.outputProof = outputProof(nothing, 4);
        repeatRoot(proposal);
        proposeReverts(abi.encodeWithSelector(IRollupV2.Rollup_BlockBeforeParent.selector, 4, 5), proposal);
        proposal.header = headerOf(nothing, 5);
        proposal.outputProof = outputProof(nothing, 5);
        repeatRoot(proposal);
        vm.prank(HONEST);
        rollup.propose{ value: BOND }(proposal);
    }

    // --- the window

    function test_propose_lateChildHasLessTime() external {
        propose(HONEST, 0, truth());
        uint256 endsAt = block.timestamp + WINDOW;
        vm.warp(endsAt - CLOCK);
        uint256 index = propose(LIAR, 0, lie(1, "in time"));
        vm.assertEq(uint256(rollup.contender(index).left), CLOCK);
        vm.warp(endsAt - CLOCK + 1);
        index = propose(LIAR, 0, lie(2, "late"));
        vm.assertEq(uint256(rollup.contender(index).left), CLOCK - 1);
        vm.warp(endsAt - 1);
        index = propose(LIAR, 0, lie(3, "last second"));
        vm.assertEq(uint256(rollup.contender(index).left), 1);
        vm.assertEq(uint256(rollup.contender(index).seat), 3);
        (Proposal memory proposal,) = proposalOf(0, lie(4, "too late"));
        vm.warp(endsAt);
        proposeReverts(
            abi.encodeWithSelector(IRollupV2.Rollup_WindowOver.selector, 0, uint64(endsAt)), proposal
        );
    }

    function test_finalize_afterTheWindow() external {
        uint256 index = propose(HONEST, 0, truth());
        uint256 endsAt = block.timestamp + WINDOW;
        vm.warp(endsAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IRollupV2.Rollup_WindowOpen.selector, 0, uint64(endsAt)));
        rollup.finalize(index);
        vm.warp(endsAt);
        rollup.finalize(index);
        assertStatus(index, Status.Final);
        vm.assertEq(rollup.bondCredit(HONEST), BOND);
        vm.assertEq(uint256(rollup.lastFinalAt()), endsAt);
        vm.expectRevert(abi.encodeWithSelector(IRollupV2.Rollup_NotStanding.selector, index, Status.Final));
        rollup.finalize(index);
    }

    /// @dev A chain of outputs, each after one entry.
    function chain(uint256 length) private returns (uint256 last) {
        for (uint256 i; i < length; ++i) {
            vm.warp(block.timestamp + INTERVAL + 1);
            inbox.append(uint64(block.timestamp));
            last = propose(HONEST, last, truth());
        }
    }

    function test_finalize_takes32Ancestors() external {
        uint256 last = chain(34);
        vm.warp(block.timestamp + WINDOW);
        vm.expectRevert(abi.encodeWithSelector(IRollupV2.Rollup_TooManyAncestors.selector, 32));
        rollup.finalize(last);
        rollup.finalize(last - 1);
        vm.assertEq(rollup.lastFinalIndex(), last - 1);
        vm.assertEq(rollup.bondCredit(HONEST), 33 * BOND);
        rollup.finalize(last);
    }

    function test_finalize_onARejectedParent_reverts() external {
        uint256 parent = propose(LIAR, 0, lie(LIE_AT, "lie"));
        vm.warp(block.timestamp + INTERVAL + 1);
        inbox.append(uint64(block.timestamp));
        uint256 child = propose(LIAR, parent, truth());
        reject(parent);
        vm.warp(block.timestamp + WINDOW);
        vm.expectRevert(
            abi.encodeWithSelector(IRollupV2.Rollup_ParentNotFinal.selector, parent, Status.Rejected)
        );
        rollup.finalize(child);
    }

    function test_propose_onARejectedParent_reverts() external {
        uint256 parent = propose(LIAR, 0, lie(LIE_AT, "lie"));
        vm.warp(block.timestamp + INTERVAL + 1);
        inbox.append(uint64(block.timestamp));
        setRoots();
        (Proposal memory proposal,) = proposalOf(parent, truth());
        reject(parent);
        proposeReverts(
            abi.encodeWithSelector(IRollupV2.Rollup_BadParent.selector, parent, Status.Rejected), proposal
        );
    }

    // --- what falls

    function reject(uint256 index) private {
        vm.prank(address(tournament));
        rollup.eliminate(index, PUPPET, ANYONE);
    }

    function test_eliminate_burnsHalf() external {
        uint256 index = propose(LIAR, 0, lie(LIE_AT, "lie"));
        reject(index);
        assertStatus(index, Status.Rejected);
        vm.assertEq(rollup.bondCredit(PUPPET), BOND / 4);
        vm.assertEq(rollup.bondCredit(ANYONE), BOND / 4);
        vm.assertEq(address(rollup).balance, 2 * (BOND / 4));
        Range memory range = rollup.range(0);
        vm.assertTrue(range.count == 1 && range.standing == 0 && range.xor == 0);
        vm.prank(address(tournament));
        vm.expectRevert(abi.encodeWithSelector(IRollupV2.Rollup_NotStanding.selector, index, Status.Rejected));
        rollup.eliminate(index, PUPPET, ANYONE);
    }

    function test_voidOutput_parentsFirst_afterTheWindow() external {
        uint256 parent = propose(LIAR, 0, lie(LIE_AT, "lie"));
        vm.warp(block.timestamp + INTERVAL + 1);
        inbox.append(uint64(block.timestamp));
        uint256 child = propose(HONEST, parent, truth());
        uint64 childEndsAt = uint64(block.timestamp) + WINDOW;
        vm.warp(block.timestamp + INTERVAL + 1);
        inbox.append(uint64(block.timestamp));
        uint256 grandchild = propose(HONEST, child, truth());
        vm.expectRevert(
            abi.encodeWithSelector(IRollupV2.Rollup_ParentStands.selector, parent, Status.Standing)
        );
        rollup.voidOutput(child);
        reject(parent);
        vm.expectRevert(abi.encodeWithSelector(IRollupV2.Rollup_WindowOpen.selector, parent, childEndsAt));
        rollup.voidOutput(child);
        vm.warp(block.timestamp + WINDOW);
        vm.expectRevert(
            abi.encodeWithSelector(IRollupV2.Rollup_ParentStands.selector, child, Status.Standing)
        );
        rollup.voidOutput(grandchild);
        rollup.voidOutput(child);
        rollup.voidOutput(grandchild);
        vm.assertEq(rollup.bondCredit(HONEST), 2 * BOND);
        assertStatus(grandchild, Status.Void);
        vm.expectRevert(abi.encodeWithSelector(IRollupV2.Rollup_NotStanding.selector, child, Status.Void));
        rollup.voidOutput(child);
    }

    function test_callers_areChecked() external {
        uint256 index = propose(HONEST, 0, truth());
        bytes memory notTournament =
            abi.encodeWithSelector(IRollupV2.Rollup_NotTournament.selector, address(this));
        vm.expectRevert(notTournament);
        rollup.promote(index);
        vm.expectRevert(notTournament);
        rollup.crown(index);
        vm.expectRevert(notTournament);
        rollup.eliminate(index, HONEST, HONEST);
        vm.expectRevert(abi.encodeWithSelector(IRollupV2.Rollup_NotPrograms.selector, address(this)));
        rollup.openGeneration();
    }

    // --- views

    function test_latestOutputIndex_stopsWhereTwoStand() external {
        uint256 right = propose(HONEST, 0, truth());
        vm.assertEq(rollup.latestOutputIndex(), right);
        vm.warp(block.timestamp + INTERVAL + 1);
        inbox.append(uint64(block.timestamp));
        uint256 child = propose(HONEST, right, truth());
        vm.assertEq(rollup.latestOutputIndex(), child);
        vm.assertEq(rollup.latestBlockNumber(), 6);
        uint256 wrong = propose(LIAR, 0, lie(LIE_AT, "lie"));
        vm.assertEq(rollup.latestOutputIndex(), 0);
        reject(wrong);
        vm.assertEq(rollup.latestOutputIndex(), child);
    }

    function test_latestOutputIndex_costsTheSame_withManyRivals() external {
        propose(HONEST, 0, truth());
        for (uint64 i; i < 20; ++i) {
            reject(propose(LIAR, 0, lie(i, vm.toString(i))));
        }
        vm.cool(address(rollup));
        uint256 before = gasleft();
        vm.assertEq(rollup.latestOutputIndex(), 1);
        // One step: a few slots, whatever was rejected.
        vm.assertLe(before - gasleft(), 20_000);
    }

    function test_getL2OutputIndexAfter_findsFinalAndStandingOutputs() external {
        uint256 last = chain(6);
        vm.assertEq(rollup.getL2OutputIndexAfter(0), 0);
        for (uint256 i = 1; i <= last; ++i) {
            vm.assertEq(rollup.getL2OutputIndexAfter(rollup.output(i).l2BlockNumber), i);
        }
        vm.warp(block.timestamp + WINDOW);
        rollup.finalize(4);
        for (uint256 i = 1; i <= last; ++i) {
            vm.assertEq(rollup.getL2OutputIndexAfter(rollup.output(i).l2BlockNumber), i);
        }
        uint256 next = rollup.nextBlockNumber();
        vm.expectRevert("L2OutputOracle: cannot get output for a block that has not been proposed");
        rollup.getL2OutputIndexAfter(next);
        vm.assertEq(rollup.getL2OutputAfter(next - 1).l2BlockNumber, next - 1);
        vm.assertEq(rollup.submissionInterval(), INTERVAL + 1);
        vm.assertEq(rollup.FINALIZATION_PERIOD_SECONDS(), WINDOW);
        vm.assertEq(rollup.nextOutputIndex(), last + 1);
    }

    function test_indexOf_unknownClaim_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IRollupV2.Rollup_UnknownClaim.selector, bytes32(0)));
        rollup.indexOf(0);
    }
}
