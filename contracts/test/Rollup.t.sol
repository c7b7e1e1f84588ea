// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Rollup } from "../src/L1/Rollup.sol";
import { IBonds } from "../src/interfaces/IBonds.sol";
import { IInbox } from "../src/interfaces/IInbox.sol";
import { IRollup, Output, RollupConfig, Status } from "../src/interfaces/IRollup.sol";
import { HeaderReader } from "../src/lib/HeaderReader.sol";
import { Refuser } from "./utils/Fakes.sol";
import { Headers } from "./utils/Headers.sol";
import { RollupFixture } from "./utils/RollupFixture.sol";

contract RollupTest is RollupFixture {
    // --- constructor

    function test_constructor_recordsGenesis() public view {
        bytes32 claim = keccak256(abi.encode(bytes32(0), uint64(0), inbox.acc(0), GENESIS_ROOT));
        Output memory genesis = rollup.output(0);
        vm.assertEq(genesis.claim, claim);
        vm.assertEq(genesis.outputRoot, GENESIS_ROOT);
        vm.assertEq(genesis.entry, 0);
        vm.assertEq(genesis.l2BlockNumber, 0);
        vm.assertEq(genesis.proposedAt, START_TIME);
        vm.assertTrue(genesis.status == Status.Final);
        vm.assertEq(rollup.outputCount(), 1);
        vm.assertEq(rollup.indexOf(claim), 0);
        vm.assertEq(rollup.lastFinalIndex(), 0);
    }

    function test_constructor_storesConfiguration() public view {
        vm.assertEq(address(rollup.inbox()), address(inbox));
        vm.assertEq(rollup.challengeWindow(), WINDOW);
        vm.assertEq(rollup.entriesPerOutputMax(), ENTRIES_MAX);
        vm.assertEq(rollup.proposerBond(), PROPOSER_BOND);
        vm.assertEq(rollup.dispute(), DISPUTE);
    }

    function test_constructor_badConfig_reverts() public {
        RollupConfig memory config = defaultRollupConfig();
        vm.expectRevert(IRollup.Rollup_BadConfig.selector);
        new Rollup(IInbox(address(inbox)), DISPUTE, bytes32(0), config);
        vm.expectRevert(IRollup.Rollup_BadConfig.selector);
        new Rollup(IInbox(address(inbox)), address(0), GENESIS_ROOT, config);
        config.challengeWindow = 0;
        vm.expectRevert(IRollup.Rollup_BadConfig.selector);
        newRollup(config);
        config = defaultRollupConfig();
        config.entriesPerOutputMax = 0;
        vm.expectRevert(IRollup.Rollup_BadConfig.selector);
        newRollup(config);
        config = defaultRollupConfig();
        config.proposerBond = 0;
        vm.expectRevert(IRollup.Rollup_BadConfig.selector);
        newRollup(config);
    }

    // --- propose

    function test_propose_recordsTheOutput() public {
        Proposal memory p = proposalOn(0, 3, 1234, "a");
        bytes32 outputRoot = keccak256(
            abi.encode(
                bytes32(0), p.proof.stateRoot, p.proof.messagePasserStorageRoot, p.proof.latestBlockhash
            )
        );
        bytes32 claim = keccak256(abi.encode(p.parentClaim, p.entry, p.acc, outputRoot));
        vm.expectEmit(address(rollup));
        emit IRollup.OutputProposed(
            1,
            claim,
            outputRoot,
            0,
            3,
            1234,
            PROPOSER,
            p.proof.stateRoot,
            p.proof.messagePasserStorageRoot,
            p.header
        );
        vm.assertEq(propose(p), 1);

        Output memory output = rollup.output(1);
        vm.assertEq(output.claim, claim);
        vm.assertEq(output.outputRoot, outputRoot);
        vm.assertEq(output.parentIndex, 0);
        vm.assertEq(output.entry, 3);
        vm.assertEq(output.l2BlockNumber, 1234);
        vm.assertEq(output.proposedAt, START_TIME);
        vm.assertEq(output.proposer, PROPOSER);
        vm.assertEq(output.openChallenges, 0);
        vm.assertTrue(output.status == Status.Proposed);
        vm.assertEq(rollup.indexOf(claim), 1);
        vm.assertEq(rollup.outputCount(), 2);
        vm.assertEq(address(rollup).balance, PROPOSER_BOND);
    }

    function test_propose_wrongBond_reverts() public {
        Proposal memory p = proposalOn(0, 1, 1, "a");
        wrongBondReverts(p, 0);
        wrongBondReverts(p, PROPOSER_BOND - 1);
        wrongBondReverts(p, PROPOSER_BOND + 1);
    }

    function wrongBondReverts(Proposal memory p, uint256 value) private {
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_WrongBond.selector, PROPOSER_BOND, value));
        vm.prank(PROPOSER);
        rollup.propose{ value: value }(p.parentIndex, p.parentClaim, p.entry, p.acc, p.proof, p.header);
    }

    function test_propose_unknownParent_reverts() public {
        Proposal memory p = proposalOn(0, 1, 1, "a");
        p.parentIndex = 1;
        proposeReverts(abi.encodeWithSelector(IRollup.Rollup_UnknownOutput.selector, 1, 1), p);
    }

    function test_propose_wrongParentClaim_reverts() public {
        Proposal memory p = proposalOn(0, 1, 1, "a");
        bytes32 found = p.parentClaim;
        p.parentClaim = keccak256("other");
        proposeReverts(abi.encodeWithSelector(IRollup.Rollup_WrongClaim.selector, 0, p.parentClaim, found), p);
    }

    /// @dev A challenge may fail, so it does not prevent proposals on the output.
    function test_propose_onChallengedParent() public {
        uint256 parent = proposeOn(0, "a");
        challenge(parent);
        uint256 child = proposeOn(parent, "b");
        vm.warp(START_TIME + WINDOW);
        uphold(parent);
        rollup.finalize(child);
        vm.assertTrue(rollup.output(child).status == Status.Final);
    }

    function test_propose_onRejectedParent_reverts() public {
        uint256 parent = proposeOn(0, "a");
        Proposal memory p = proposalOn(parent, 2, 2, "b");
        challenge(parent);
        reject(parent);
        proposeReverts(
            abi.encodeWithSelector(IRollup.Rollup_ParentRejected.selector, parent, Status.Rejected), p
        );
    }

    function test_propose_onVoidParent_reverts() public {
        uint256 child = voidChild();
        proposeReverts(
            abi.encodeWithSelector(IRollup.Rollup_ParentRejected.selector, child, Status.Void),
            proposalOn(child, 3, 3, "c")
        );
    }

    function test_propose_onOlderFinalParent_reverts() public {
        uint256 older = proposeOn(0, "a");
        uint256 last = propose(proposalOn(older, 5, 5, "b"));
        vm.warp(START_TIME + WINDOW);
        rollup.finalize(last);
        bytes4 reason = IRollup.Rollup_ParentTooOld.selector;
        proposeReverts(abi.encodeWithSelector(reason, 0, 0, 5), proposalOn(0, 6, 6, "c"));
        proposeReverts(abi.encodeWithSelector(reason, older, 1, 5), proposalOn(older, 6, 6, "c"));
        proposeOn(last, "c");
    }

    function test_propose_onOlderPendingParent_reverts() public {
        uint256 last = propose(proposalOn(0, 5, 5, "final"));
        uint256 proposed = propose(proposalOn(0, 4, 4, "proposed"));
        uint256 challenged = propose(proposalOn(0, 3, 3, "challenged"));
        challenge(challenged);
        vm.warp(START_TIME + WINDOW);
        proposeOn(proposed, "in time");
        rollup.finalize(last);
        bytes4 reason = IRollup.Rollup_ParentTooOld.selector;
        proposeReverts(abi.encodeWithSelector(reason, proposed, 4, 5), proposalOn(proposed, 6, 6, "late"));
        proposeReverts(abi.encodeWithSelector(reason, challenged, 3, 5), proposalOn(challenged, 6, 6, "late"));
    }

    /// @dev Only the parent's entry counts, whether it is final, pending or challenged, on the final branch
    ///      or another.
    function test_propose_onParentsNotBeforeTheLastFinal() public {
        uint256 last = propose(proposalOn(0, 5, 5, "final"));
        uint256 rival = propose(proposalOn(0, 5, 5, "rival"));
        uint256 later = propose(proposalOn(0, 6, 6, "later"));
        uint256 challenged = propose(proposalOn(0, 7, 7, "challenged"));
        challenge(challenged);
        vm.warp(START_TIME + WINDOW);
        rollup.finalize(last);
        proposeOn(last, "on the final one");
        proposeOn(rival, "on its rival");
        proposeOn(later, "on the later one");
        proposeOn(challenged, "on the challenged one");

        rollup.finalize(rival);
        vm.assertEq(rollup.lastFinalIndex(), last);
        proposeOn(rival, "on its rival, final as well");
    }

    function test_propose_entryNotLater_reverts() public {
        uint256 parent = propose(proposalOn(0, 5, 5, "a"));
        proposeReverts(
            abi.encodeWithSelector(IRollup.Rollup_EntryNotLater.selector, 5, 5), proposalOn(parent, 5, 6, "b")
        );
        proposeReverts(
            abi.encodeWithSelector(IRollup.Rollup_EntryNotLater.selector, 4, 5), proposalOn(parent, 4, 6, "b")
        );
    }

    function test_propose_tooManyEntries_reverts() public {
        uint256 parent = propose(proposalOn(0, ENTRIES_MAX, 5, "a"));
        proposeReverts(
            abi.encodeWithSelector(IRollup.Rollup_TooManyEntries.selector, ENTRIES_MAX + 1, ENTRIES_MAX),
            proposalOn(parent, 2 * ENTRIES_MAX + 1, 6, "b")
        );
        propose(proposalOn(parent, 2 * ENTRIES_MAX, 6, "b"));
    }

    function test_propose_wrongAcc_reverts() public {
        Proposal memory p = proposalOn(0, 1, 1, "a");
        bytes32 found = p.acc;
        p.acc = keccak256("before a reorganisation");
        proposeReverts(abi.encodeWithSelector(IRollup.Rollup_WrongAcc.selector, 1, p.acc, found), p);
    }

    function test_propose_unknownVersion_reverts() public {
        Proposal memory p = proposalOn(0, 1, 1, "a");
        p.proof.version = bytes32(uint256(1));
        proposeReverts(abi.encodeWithSelector(IRollup.Rollup_UnknownVersion.selector, p.proof.version), p);
    }

    function test_propose_wrongHeaderHash_reverts() public {
        Proposal memory p = proposalOn(0, 1, 1, "a");
        bytes32 found = p.proof.latestBlockhash;
        p.proof.latestBlockhash = keccak256("another block");
        proposeReverts(
            abi.encodeWithSelector(IRollup.Rollup_WrongHeaderHash.selector, p.proof.latestBlockhash, found), p
        );
    }

    function test_propose_wrongStateRoot_reverts() public {
        Proposal memory p = proposalOn(0, 1, 1, "a");
        bytes32 found = p.proof.stateRoot;
        p.proof.stateRoot = keccak256("another state");
        proposeReverts(
            abi.encodeWithSelector(IRollup.Rollup_WrongStateRoot.selector, p.proof.stateRoot, found), p
        );
    }

    function test_propose_headerOfAnotherShape_reverts() public {
        Proposal memory p = proposalOn(0, 1, 1, "a");
        p.header = Headers.encode(p.proof.stateRoot, hex"8101", 0);
        p.proof.latestBlockhash = keccak256(p.header);
        proposeReverts(abi.encodeWithSelector(HeaderReader.HeaderReader_BadNumber.selector), p);
    }

    function test_propose_blockNotLater_reverts() public {
        proposeReverts(
            abi.encodeWithSelector(IRollup.Rollup_BlockNotLater.selector, 0, 0), proposalOn(0, 1, 0, "a")
        );
        uint256 parent = propose(proposalOn(0, 1, 9, "a"));
        proposeReverts(
            abi.encodeWithSelector(IRollup.Rollup_BlockNotLater.selector, 9, 9), proposalOn(parent, 2, 9, "b")
        );
    }

    function test_propose_duplicate_reverts() public {
        uint256 index = proposeOn(0, "a");
        Proposal memory p = proposalOn(0, 1, 1, "a");
        bytes memory reason = abi.encodeWithSelector(
            IRollup.Rollup_DuplicateClaim.selector, rollup.output(index).claim, index
        );
        proposeReverts(reason, p);
        // The claim cannot be made again during a challenge, after it or later.
        challenge(index);
        proposeReverts(reason, p);
        reject(index);
        proposeReverts(reason, p);
        vm.warp(START_TIME + 2 * WINDOW);
        proposeReverts(reason, p);
    }

    function test_propose_rivalsOfOneParent() public {
        vm.assertEq(proposeOn(0, "a"), 1);
        vm.assertEq(proposeOn(0, "b"), 2);
        vm.assertEq(proposeOn(2, "c"), 3);
        vm.assertEq(rollup.output(3).parentIndex, 2);
    }

    // --- openChallenge, upholdOutput

    function test_openChallenge_blocksFinalization() public {
        uint256 index = proposeOn(0, "a");
        bytes32 claim = rollup.output(index).claim;
        vm.warp(START_TIME + WINDOW - 1);
        vm.expectEmit(address(rollup));
        emit IRollup.OutputChallenged(index, claim, 1);
        challenge(index);

        vm.assertTrue(rollup.output(index).status == Status.Challenged);
        vm.assertEq(rollup.output(index).openChallenges, 1);
        vm.warp(START_TIME + 100 * WINDOW);
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_NotProposed.selector, index, Status.Challenged));
        rollup.finalize(index);
    }

    function test_openChallenge_counts() public {
        uint256 index = proposeOn(0, "a");
        bytes32 claim = rollup.output(index).claim;
        challenge(index);
        vm.expectEmit(address(rollup));
        emit IRollup.OutputChallenged(index, claim, 2);
        challenge(index);
        vm.expectEmit(address(rollup));
        emit IRollup.OutputUpheld(index, claim, 1);
        uphold(index);
        vm.assertTrue(rollup.output(index).status == Status.Challenged);
        vm.expectEmit(address(rollup));
        emit IRollup.OutputUpheld(index, claim, 0);
        uphold(index);
        vm.assertTrue(rollup.output(index).status == Status.Proposed);
        challenge(index);
        vm.assertTrue(rollup.output(index).status == Status.Challenged);
        vm.assertEq(rollup.output(index).openChallenges, 1);
    }

    function test_openChallenge_unknownOutput_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_UnknownOutput.selector, 1, 1));
        vm.prank(DISPUTE);
        rollup.openChallenge(1, bytes32(0));
    }

    function test_openChallenge_wrongClaim_reverts() public {
        uint256 index = proposeOn(0, "a");
        bytes32 found = rollup.output(index).claim;
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_WrongClaim.selector, index, bytes32(0), found));
        vm.prank(DISPUTE);
        rollup.openChallenge(index, bytes32(0));
    }

    function test_openChallenge_decidedOutput_reverts() public {
        openChallengeReverts(abi.encodeWithSelector(IRollup.Rollup_NotProposed.selector, 0, Status.Final), 0);
        uint256 rejected = proposeOn(0, "a");
        challenge(rejected);
        reject(rejected);
        openChallengeReverts(
            abi.encodeWithSelector(IRollup.Rollup_NotProposed.selector, rejected, Status.Rejected), rejected
        );
        uint256 child = voidChild();
        openChallengeReverts(
            abi.encodeWithSelector(IRollup.Rollup_NotProposed.selector, child, Status.Void), child
        );
    }

    function test_openChallenge_windowOver_reverts() public {
        uint256 index = proposeOn(0, "a");
        challenge(index);
        vm.warp(START_TIME + WINDOW);
        openChallengeReverts(
            abi.encodeWithSelector(IRollup.Rollup_WindowOver.selector, index, START_TIME + WINDOW), index
        );
    }

    function openChallengeReverts(bytes memory reason, uint256 index) private {
        bytes32 claim = rollup.output(index).claim;
        vm.expectRevert(reason);
        vm.prank(DISPUTE);
        rollup.openChallenge(index, claim);
    }

    function test_disputeFunctions_notDispute_revert() public {
        uint256 index = proposeOn(0, "a");
        bytes32 claim = rollup.output(index).claim;
        challenge(index);
        bytes memory reason = abi.encodeWithSelector(IRollup.Rollup_NotDispute.selector, PROPOSER);
        vm.expectRevert(reason);
        vm.prank(PROPOSER);
        rollup.openChallenge(index, claim);
        vm.expectRevert(reason);
        vm.prank(PROPOSER);
        rollup.upholdOutput(index);
        vm.expectRevert(reason);
        vm.prank(PROPOSER);
        rollup.rejectOutput(index);
    }

    // --- rejectOutput, voidOutput

    function test_rejectOutput_paysTheBondOut() public {
        uint256 index = proposeOn(0, "a");
        challenge(index);
        challenge(index);
        vm.expectEmit(address(rollup));
        emit IRollup.OutputRejected(index, rollup.output(index).claim);
        reject(index);

        vm.assertTrue(rollup.output(index).status == Status.Rejected);
        vm.assertEq(rollup.output(index).openChallenges, 0);
        vm.assertEq(DISPUTE.balance, PROPOSER_BOND);
        vm.assertEq(address(rollup).balance, 0);
        vm.warp(START_TIME + 100 * WINDOW);
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_NotProposed.selector, index, Status.Rejected));
        rollup.finalize(index);
    }

    function test_voidOutput_returnsTheBond() public {
        uint256 parent = proposeOn(0, "a");
        vm.warp(START_TIME + 10);
        uint256 child = proposeOn(parent, "b");
        challenge(parent);
        reject(parent);
        vm.warp(START_TIME + 10 + WINDOW);
        vm.expectEmit(address(rollup));
        emit IRollup.OutputVoided(child, rollup.output(child).claim);
        rollup.voidOutput(child);

        vm.assertTrue(rollup.output(child).status == Status.Void);
        vm.assertEq(rollup.bondCredit(PROPOSER), PROPOSER_BOND);
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_NotProposed.selector, child, Status.Void));
        rollup.voidOutput(child);
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_NotProposed.selector, child, Status.Void));
        rollup.finalize(child);
    }

    function test_voidOutput_goesDownTheBranch() public {
        uint256 parent = proposeOn(0, "a");
        uint256 child = proposeOn(parent, "b");
        uint256 grandchild = proposeOn(child, "c");
        challenge(parent);
        reject(parent);
        vm.warp(START_TIME + WINDOW);
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_ParentStands.selector, child, Status.Proposed));
        rollup.voidOutput(grandchild);
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.Rollup_AncestorDisputed.selector, parent, Status.Rejected)
        );
        rollup.finalize(grandchild);
        rollup.voidOutput(child);
        rollup.voidOutput(grandchild);
        vm.assertEq(rollup.bondCredit(PROPOSER), 2 * PROPOSER_BOND);
        vm.assertEq(address(rollup).balance, 2 * PROPOSER_BOND);
    }

    function test_voidOutput_parentStands_reverts() public {
        uint256 parent = proposeOn(0, "a");
        uint256 child = proposeOn(parent, "b");
        vm.warp(START_TIME + WINDOW);
        bytes4 reason = IRollup.Rollup_ParentStands.selector;
        vm.expectRevert(abi.encodeWithSelector(reason, 0, Status.Final));
        rollup.voidOutput(parent);
        vm.expectRevert(abi.encodeWithSelector(reason, parent, Status.Proposed));
        rollup.voidOutput(child);
    }

    function test_voidOutput_windowOpen_reverts() public {
        uint256 parent = proposeOn(0, "a");
        uint256 child = proposeOn(parent, "b");
        challenge(parent);
        reject(parent);
        vm.warp(START_TIME + WINDOW - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.Rollup_WindowOpen.selector, child, START_TIME + WINDOW)
        );
        rollup.voidOutput(child);
    }

    /// @dev A descendant of a rejected output may be challenged itself. If it is rejected, its bond is lost.
    function test_voidOutput_challenged_reverts() public {
        uint256 parent = proposeOn(0, "a");
        uint256 child = proposeOn(parent, "b");
        challenge(parent);
        challenge(child);
        reject(parent);
        vm.warp(START_TIME + WINDOW);
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_NotProposed.selector, child, Status.Challenged));
        rollup.voidOutput(child);
        uphold(child);
        rollup.voidOutput(child);
        vm.assertEq(rollup.bondCredit(PROPOSER), PROPOSER_BOND);
    }

    function test_voidOutput_unknownOutput_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_UnknownOutput.selector, 1, 1));
        rollup.voidOutput(1);
    }

    function voidChild() private returns (uint256 child) {
        uint256 parent = proposeOn(0, "void parent");
        child = proposeOn(parent, "void child");
        challenge(parent);
        reject(parent);
        vm.warp(block.timestamp + WINDOW);
        rollup.voidOutput(child);
    }

    // --- finalize

    function test_finalize_creditsTheProposer() public {
        uint256 index = proposeOn(0, "a");
        vm.warp(START_TIME + WINDOW);
        vm.expectEmit(address(rollup));
        emit IBonds.BondCredited(PROPOSER, PROPOSER_BOND);
        vm.expectEmit(address(rollup));
        emit IRollup.OutputFinalized(index, rollup.output(index).claim);
        rollup.finalize(index);

        vm.assertTrue(rollup.output(index).status == Status.Final);
        vm.assertEq(rollup.lastFinalIndex(), index);
        vm.assertEq(rollup.bondCredit(PROPOSER), PROPOSER_BOND);
    }

    function test_finalize_windowOpen_reverts() public {
        uint256 index = proposeOn(0, "a");
        vm.warp(START_TIME + WINDOW - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.Rollup_WindowOpen.selector, index, START_TIME + WINDOW)
        );
        rollup.finalize(index);
    }

    function test_finalize_twice_reverts() public {
        uint256 index = proposeOn(0, "a");
        vm.warp(START_TIME + WINDOW);
        rollup.finalize(index);
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_NotProposed.selector, index, Status.Final));
        rollup.finalize(index);
    }

    function test_finalize_unknownOutput_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_UnknownOutput.selector, 1, 1));
        rollup.finalize(1);
    }

    function test_finalize_finalizesAncestors_oldestFirst() public {
        uint256 parent = proposeOn(0, "a");
        uint256 child = proposeOn(parent, "b");
        uint256 grandchild = proposeOn(child, "c");
        vm.warp(START_TIME + WINDOW);
        for (uint256 index = parent; index <= grandchild; ++index) {
            vm.expectEmit(address(rollup));
            emit IRollup.OutputFinalized(index, rollup.output(index).claim);
        }
        rollup.finalize(grandchild);
        vm.assertTrue(rollup.output(parent).status == Status.Final);
        vm.assertTrue(rollup.output(child).status == Status.Final);
        vm.assertEq(rollup.lastFinalIndex(), grandchild);
        vm.assertEq(rollup.bondCredit(PROPOSER), 3 * PROPOSER_BOND);
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_NotProposed.selector, parent, Status.Final));
        rollup.finalize(parent);
    }

    function test_finalize_childOfChallenged_reverts() public {
        uint256 parent = proposeOn(0, "a");
        uint256 child = proposeOn(parent, "b");
        challenge(parent);
        vm.warp(START_TIME + 100 * WINDOW);
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.Rollup_AncestorDisputed.selector, parent, Status.Challenged)
        );
        rollup.finalize(child);
        uphold(parent);
        rollup.finalize(child);
        vm.assertEq(rollup.lastFinalIndex(), child);
    }

    function test_finalize_lastFinalIsTheLatestEntry() public {
        uint256 late = propose(proposalOn(0, 7, 7, "late"));
        uint256 early = propose(proposalOn(0, 3, 3, "early"));
        vm.warp(START_TIME + WINDOW);
        rollup.finalize(late);
        rollup.finalize(early);
        vm.assertEq(rollup.lastFinalIndex(), late);
    }

    // --- withdrawBond

    function test_withdrawBond_paysOnce() public {
        rollupWithCredit();
        uint256 before = PROPOSER.balance;
        vm.expectEmit(address(rollup));
        emit IBonds.BondWithdrawn(PROPOSER, PROPOSER_BOND);
        vm.prank(PROPOSER);
        rollup.withdrawBond();
        vm.assertEq(PROPOSER.balance, before + PROPOSER_BOND);
        vm.assertEq(address(rollup).balance, 0);

        vm.expectRevert(abi.encodeWithSelector(IBonds.Bonds_NothingToWithdraw.selector, PROPOSER));
        vm.prank(PROPOSER);
        rollup.withdrawBond();
    }

    function test_withdrawBond_refusedTransfer_reverts() public {
        rollupWithCredit();
        vm.etch(PROPOSER, type(Refuser).runtimeCode);
        vm.expectRevert(abi.encodeWithSelector(IBonds.Bonds_TransferFailed.selector, PROPOSER));
        vm.prank(PROPOSER);
        rollup.withdrawBond();
        vm.assertEq(rollup.bondCredit(PROPOSER), PROPOSER_BOND);
    }

    function test_withdrawBond_reentered_paysOnce() public {
        rollupWithCredit();
        proposeOn(rollup.lastFinalIndex(), "locked");
        vm.etch(PROPOSER, type(Reenterer).runtimeCode);
        uint256 before = PROPOSER.balance;
        vm.prank(PROPOSER);
        rollup.withdrawBond();
        vm.assertEq(PROPOSER.balance, before + PROPOSER_BOND);
        vm.assertEq(address(rollup).balance, PROPOSER_BOND);
    }

    function rollupWithCredit() private {
        uint256 index = proposeOn(0, "a");
        vm.warp(START_TIME + WINDOW);
        rollup.finalize(index);
    }

    // --- views

    function test_indexOf_unknownClaim_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_UnknownClaim.selector, bytes32(0)));
        rollup.indexOf(bytes32(0));
    }

    function test_output_unknown_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_UnknownOutput.selector, 1, 1));
        rollup.output(1);
    }
}

/// @dev Withdraws its bond again while it receives it.
contract Reenterer {
    receive() external payable {
        try IRollup(msg.sender).withdrawBond() {
            revert("paid twice");
        } catch { }
    }
}
