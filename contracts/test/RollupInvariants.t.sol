// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Rollup } from "../src/L1/Rollup.sol";
import { IRollup, Output, Status } from "../src/interfaces/IRollup.sol";
import { RollupFixture } from "./utils/RollupFixture.sol";
import { FuzzSelector } from "./utils/Vm.sol";

/// @notice Random actions of proposers, the dispute contract and time.
contract RollupActors is RollupFixture {
    uint256 private _salt;

    function target() external view returns (Rollup) {
        return rollup;
    }

    function proposeSomewhere(uint256 parentSeed, uint256 entries, uint256 blocks) external {
        uint256 parentIndex = bound(parentSeed, 0, rollup.outputCount() - 1);
        Output memory parent = rollup.output(parentIndex);
        if (parent.status == Status.Rejected || parent.status == Status.Void) return;
        uint256 lastFinal = rollup.lastFinalIndex();
        if (parent.entry < rollup.output(lastFinal).entry) {
            tooOldReverts(parentIndex, parent.entry, rollup.output(lastFinal).entry);
            (parentIndex, parent) = (lastFinal, rollup.output(lastFinal));
        }
        uint64 entry = parent.entry + bound64(entries, 1, ENTRIES_MAX);
        uint64 l2BlockNumber = parent.l2BlockNumber + bound64(blocks, 1, 1000);
        propose(proposalOn(parentIndex, entry, l2BlockNumber, vm.toString(++_salt)));
    }

    function tooOldReverts(uint256 parentIndex, uint64 parentEntry, uint64 finalEntry) private {
        proposeReverts(
            abi.encodeWithSelector(
                IRollup.Rollup_ParentTooOld.selector, parentIndex, parentEntry, finalEntry
            ),
            proposalOn(parentIndex, parentEntry + 1, type(uint64).max, "too old")
        );
    }

    function challengeSomething(uint256 seed) external {
        uint256 index = bound(seed, 0, rollup.outputCount() - 1);
        Output memory output = rollup.output(index);
        bool open = output.status == Status.Proposed || output.status == Status.Challenged;
        if (open && block.timestamp < output.proposedAt + WINDOW && seed % 3 == 0) challenge(index);
    }

    function decideSomething(uint256 seed) external {
        uint256 index = bound(seed, 0, rollup.outputCount() - 1);
        if (rollup.output(index).status != Status.Challenged) return;
        if (seed % 3 == 0) reject(index);
        else uphold(index);
    }

    function voidEverything() external {
        for (uint256 index; index < rollup.outputCount(); ++index) {
            (bool ok,) = address(rollup).call(abi.encodeCall(rollup.voidOutput, (index)));
            ok; // reverts if the output is not void
        }
    }

    function finalizeEverything() external {
        for (uint256 index; index < rollup.outputCount(); ++index) {
            (bool ok,) = address(rollup).call(abi.encodeCall(rollup.finalize, (index)));
            ok; // reverts if the output may not be final yet
        }
    }

    function withdraw() external {
        if (rollup.bondCredit(PROPOSER) == 0) return;
        vm.prank(PROPOSER);
        rollup.withdrawBond();
    }

    function wait(uint256 secs) external {
        vm.warp(block.timestamp + bound(secs, 0, WINDOW / 2));
    }
}

contract RollupInvariants is RollupFixture {
    RollupActors private actors;

    function setUp() public override {
        actors = new RollupActors();
        actors.setUp();
        rollup = actors.target();
        vm.deal(PROPOSER, 10_000 ether);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actors);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector({ addr: address(actors), selectors: new bytes4[](7) });
        targets[0].selectors[0] = RollupActors.proposeSomewhere.selector;
        targets[0].selectors[1] = RollupActors.challengeSomething.selector;
        targets[0].selectors[2] = RollupActors.finalizeEverything.selector;
        targets[0].selectors[3] = RollupActors.withdraw.selector;
        targets[0].selectors[4] = RollupActors.wait.selector;
        targets[0].selectors[5] = RollupActors.decideSomething.selector;
        targets[0].selectors[6] = RollupActors.voidEverything.selector;
    }

    /// @dev The contract holds exactly the locked bonds and the credits. Bonds of rejected outputs went to
    ///      the dispute contract.
    function invariant_bonds_areConserved() public view {
        uint256 locked;
        uint256 lost;
        for (uint256 i; i < rollup.outputCount(); ++i) {
            Status status = rollup.output(i).status;
            if (status == Status.Proposed || status == Status.Challenged) locked += PROPOSER_BOND;
            if (status == Status.Rejected) lost += PROPOSER_BOND;
        }
        vm.assertEq(DISPUTE.balance, lost);
        vm.assertEq(address(rollup).balance, locked + rollup.bondCredit(PROPOSER));
    }

    /// @dev A final output has final ancestors, a window that is over, and no open challenge.
    function invariant_finalOutputs_restOnFinalOutputs() public view {
        for (uint256 i = 1; i < rollup.outputCount(); ++i) {
            Output memory output = rollup.output(i);
            if (output.status != Status.Final) continue;
            vm.assertTrue(rollup.output(output.parentIndex).status == Status.Final);
            vm.assertGe(block.timestamp, output.proposedAt + WINDOW);
            vm.assertEq(output.openChallenges, 0);
        }
    }

    /// @dev A void output has a rejected or void parent, and only challenged outputs have open challenges.
    function invariant_voidOutputs_restOnRejectedOutputs() public view {
        for (uint256 i = 1; i < rollup.outputCount(); ++i) {
            Output memory output = rollup.output(i);
            vm.assertEq(output.status == Status.Challenged, output.openChallenges != 0);
            if (output.status != Status.Void) continue;
            Status parent = rollup.output(output.parentIndex).status;
            vm.assertTrue(parent == Status.Rejected || parent == Status.Void);
        }
    }

    /// @dev An output's entry and block are later than its parent's, and indexOf finds every claim.
    function invariant_outputs_growForward() public view {
        for (uint256 i = 1; i < rollup.outputCount(); ++i) {
            Output memory output = rollup.output(i);
            Output memory parent = rollup.output(output.parentIndex);
            vm.assertGt(i, output.parentIndex);
            vm.assertGt(output.entry, parent.entry);
            vm.assertGt(output.l2BlockNumber, parent.l2BlockNumber);
            vm.assertEq(rollup.indexOf(output.claim), i);
        }
    }

    /// @dev No final output has a later entry than the one that the contract names.
    function invariant_lastFinal_isTheLatest() public view {
        Output memory last = rollup.output(rollup.lastFinalIndex());
        vm.assertTrue(last.status == Status.Final);
        for (uint256 i; i < rollup.outputCount(); ++i) {
            Output memory output = rollup.output(i);
            if (output.status == Status.Final) vm.assertLe(output.entry, last.entry);
        }
    }
}
