// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { WithdrawalTransaction } from "../../src/interfaces/IPortal.sol";
import { OutputRootProof } from "../../src/interfaces/IRollup.sol";
import { WithdrawalsV2 } from "../../src/v2/WithdrawalsV2.sol";
import { IRollupV2, Proposal, Status } from "../../src/v2/interfaces/IRollupV2.sol";
import { IWithdrawals, WithdrawalsConfig } from "../../src/v2/interfaces/IWithdrawals.sol";
import { Refuser } from "../utils/Fakes.sol";
import { Tries } from "../utils/Tries.sol";
import { DisputeV2Fixture } from "./utils/DisputeV2Fixture.sol";

/// @title Vault
/// @notice The withdrawals of a portal, and ether to pay them.
contract Vault is WithdrawalsV2 {
    constructor(WithdrawalsConfig memory config) payable WithdrawalsV2(config) { }
}

/// @title Again
/// @notice A recipient that tries to execute its withdrawal a second time from within.
contract Again {
    WithdrawalTransaction private _again;

    function set(WithdrawalTransaction calldata w) external {
        _again = w;
    }

    receive() external payable {
        WithdrawalsV2(msg.sender).finalizeWithdrawalTransaction(_again);
    }
}

/// @title WithdrawalsV2Test
/// @notice Proofs of withdrawals, each submitter's own, and their execution.
contract WithdrawalsV2Test is DisputeV2Fixture {
    uint64 private constant PAUSE_MAX = 6 hours;
    address private immutable GUARDIAN = account("guardian");
    address private immutable USER = account("user");
    address private immutable RECIPIENT = account("recipient");

    WithdrawalsV2 private portal;
    mapping(uint256 index => OutputRootProof) private proofs;
    mapping(uint256 index => bytes32[]) private keys;

    function setUp() public override {
        super.setUp();
        vm.deal(address(this), 1000 ether);
        portal = new Vault{ value: 100 ether }(
            WithdrawalsConfig({ rollup: rollup, guardian: GUARDIAN, pauseMax: PAUSE_MAX })
        );
    }

    function withdrawal(address target, bytes memory data)
        private
        view
        returns (WithdrawalTransaction memory)
    {
        return WithdrawalTransaction({
            nonce: 1 << 240, sender: USER, target: target, value: 3 ether, gasLimit: 50_000, data: data
        });
    }

    function simple() private view returns (WithdrawalTransaction memory) {
        return withdrawal(RECIPIENT, "");
    }

    function hashOf(WithdrawalTransaction memory w) private pure returns (bytes32) {
        return keccak256(abi.encode(w.nonce, w.sender, w.target, w.value, w.gasLimit, w.data));
    }

    function keyOf(WithdrawalTransaction memory w) private pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(abi.encode(hashOf(w), uint256(0)))));
    }

    /// @dev Proposes a child that holds a withdrawal and another key, which tells children apart.
    function proposeHolding(uint256 parent, WithdrawalTransaction memory w, uint256 salt)
        private
        returns (uint256 index)
    {
        setRoots();
        (Proposal memory proposal,) = proposalOf(parent, truth());
        bytes32[] memory held = new bytes32[](2);
        (held[0], held[1]) = (keyOf(w), keccak256(abi.encode(salt)));
        proposal.outputProof.messagePasserStorageRoot = Tries.root(held);
        repeatRoot(proposal);
        vm.prank(HONEST);
        index = rollup.propose{ value: BOND }(proposal);
        (proofs[index], keys[index]) = (proposal.outputProof, held);
    }

    function prove(address who, WithdrawalTransaction memory w, uint256 index) private {
        bytes[] memory nodes = Tries.prove(keys[index], keyOf(w));
        OutputRootProof memory proof = proofs[index];
        vm.prank(who);
        portal.proveWithdrawalTransaction(w, index, proof, nodes);
    }

    function proveReverts(bytes memory reason, WithdrawalTransaction memory w, uint256 index) private {
        bytes[] memory nodes = Tries.prove(keys[index], keyOf(w));
        OutputRootProof memory proof = proofs[index];
        vm.expectRevert(reason);
        portal.proveWithdrawalTransaction(w, index, proof, nodes);
    }

    function finalize(address who, WithdrawalTransaction memory w) private {
        vm.prank(who);
        portal.finalizeWithdrawalTransaction(w);
    }

    function reject(uint256 index) private {
        vm.prank(address(dispute));
        tournament.eliminate(index, PUPPET, ANYONE);
    }

    function listed(WithdrawalTransaction memory w) private view returns (uint256 index) {
        (, uint128 timestamp, uint128 found) = portal.provenWithdrawals(hashOf(w));
        return timestamp == 0 ? 0 : found;
    }

    function own(WithdrawalTransaction memory w, address who) private view returns (uint256 index) {
        (, uint128 timestamp, uint128 found) = portal.proofOf(hashOf(w), who);
        return timestamp == 0 ? 0 : found;
    }

    // --- the way of a withdrawal

    function test_withdrawal_isPaidOnceItsOutputIsFinal() external {
        WithdrawalTransaction memory w = simple();
        uint256 index = proposeHolding(0, w, 1);
        vm.expectEmit(address(portal));
        emit IWithdrawals.WithdrawalProven(hashOf(w), USER, RECIPIENT);
        vm.expectEmit(address(portal));
        emit IWithdrawals.WithdrawalProvenExtension1(hashOf(w), USER);
        prove(USER, w, index);
        (bytes32 root, uint128 timestamp,) = portal.provenWithdrawals(hashOf(w));
        vm.assertEq(root, rollup.output(index).outputRoot);
        vm.assertEq(timestamp, block.timestamp);

        vm.expectRevert(
            abi.encodeWithSelector(IRollupV2.Rollup_WindowOpen.selector, 0, uint64(block.timestamp) + WINDOW)
        );
        finalize(USER, w);
        vm.warp(block.timestamp + WINDOW);
        finalize(USER, w);
        vm.assertEq(RECIPIENT.balance, 3 ether);
        vm.assertTrue(portal.isOutputFinalized(index));
        vm.expectRevert(abi.encodeWithSelector(IWithdrawals.Portal_AlreadyFinalized.selector, hashOf(w)));
        finalize(USER, w);
        proveReverts(
            abi.encodeWithSelector(IWithdrawals.Portal_AlreadyFinalized.selector, hashOf(w)), w, index
        );
    }

    function test_proof_needsNoWaitingTimeOfItsOwn() external {
        WithdrawalTransaction memory w = simple();
        uint256 index = proposeHolding(0, w, 1);
        vm.warp(block.timestamp + WINDOW);
        prove(USER, w, index);
        finalize(USER, w);
        vm.assertEq(RECIPIENT.balance, 3 ether);
    }

    function test_finalize_takes32Ancestors() external {
        WithdrawalTransaction memory w = simple();
        uint256 last;
        for (uint256 i; i < 34; ++i) {
            vm.warp(block.timestamp + INTERVAL + 1);
            inbox.append(uint64(block.timestamp));
            last = proposeHolding(last, w, i);
        }
        vm.warp(block.timestamp + WINDOW);
        prove(USER, w, last);
        vm.expectRevert(abi.encodeWithSelector(IRollupV2.Rollup_TooManyAncestors.selector, 32));
        finalize(USER, w);
        prove(USER, w, last - 1);
        finalize(USER, w);
        vm.assertEq(rollup.lastFinalIndex(), last - 1);
    }

    // --- nobody's proof makes another's wait

    /// @dev An attacker proves the withdrawal again on each later output. The first proof stays the owner's.
    function test_provingAgain_doesNotFreezeAWithdrawal() external {
        WithdrawalTransaction memory w = simple();
        uint256 index = proposeHolding(0, w, 1);
        prove(USER, w, index);
        uint256 rival = proposeHolding(0, w, 2);
        prove(LIAR, w, rival);
        vm.warp(block.timestamp + INTERVAL + 1);
        inbox.append(uint64(block.timestamp));
        uint256 child = proposeHolding(index, w, 3);
        prove(LIAR, w, child);
        vm.assertEq(own(w, USER), index);
        vm.assertEq(listed(w), index);
        reject(rival);
        vm.warp(START_TIME + INTERVAL + 1 + WINDOW);
        tournament.promote(index);
        finalize(USER, w);
        vm.assertEq(RECIPIENT.balance, 3 ether);
    }

    /// @dev An attacker lists a proof on a rival that will fall. The owner's own proof is used.
    function test_finalize_takesTheOwnProof_thenTheListedOne() external {
        WithdrawalTransaction memory w = simple();
        uint256 rival = proposeHolding(0, w, 1);
        uint256 index = proposeHolding(0, w, 2);
        prove(LIAR, w, rival);
        prove(USER, w, index);
        vm.assertEq(listed(w), rival);
        vm.assertEq(own(w, USER), index);
        vm.warp(block.timestamp + WINDOW);
        reject(rival);
        vm.assertEq(listed(w), 0);
        vm.assertEq(own(w, LIAR), 0);
        tournament.promote(index);
        // Somebody without a proof of their own finds only the one that fell.
        vm.expectRevert(abi.encodeWithSelector(IRollupV2.Rollup_NotStanding.selector, rival, Status.Rejected));
        finalize(ANYONE, w);
        vm.prank(ANYONE);
        portal.finalizeWithdrawalTransactionExternalProof(w, USER);
        vm.assertEq(RECIPIENT.balance, 3 ether);
    }

    function test_listedProof_isReplacedOnceItsOutputFell() external {
        WithdrawalTransaction memory w = simple();
        uint256 rival = proposeHolding(0, w, 1);
        uint256 index = proposeHolding(0, w, 2);
        prove(LIAR, w, rival);
        prove(USER, w, index);
        vm.assertEq(listed(w), rival);
        reject(rival);
        prove(USER, w, index);
        vm.assertEq(listed(w), index);
        vm.warp(block.timestamp + WINDOW);
        tournament.promote(index);
        finalize(ANYONE, w);
        vm.assertEq(RECIPIENT.balance, 3 ether);
    }

    function test_finalize_withoutAProof_reverts() external {
        WithdrawalTransaction memory w = simple();
        vm.expectRevert(abi.encodeWithSelector(IWithdrawals.Portal_NotProven.selector, hashOf(w), ANYONE));
        finalize(ANYONE, w);
        uint256 index = proposeHolding(0, w, 1);
        prove(USER, w, index);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawals.Portal_NotProven.selector, hashOf(w), LIAR));
        portal.finalizeWithdrawalTransactionExternalProof(w, LIAR);
    }

    // --- what a proof shows

    function test_prove_onAFallenOutput_reverts() external {
        WithdrawalTransaction memory w = simple();
        uint256 index = proposeHolding(0, w, 1);
        reject(index);
        proveReverts(abi.encodeWithSelector(IWithdrawals.Portal_OutputFallen.selector, index), w, index);
    }

    function test_prove_withAnotherPreimage_reverts() external {
        WithdrawalTransaction memory w = simple();
        uint256 index = proposeHolding(0, w, 1);
        proofs[index].stateRoot = 0;
        bytes32 found = keccak256(abi.encode(proofs[index]));
        proveReverts(
            abi.encodeWithSelector(
                IWithdrawals.Portal_WrongOutputRoot.selector, rollup.output(index).outputRoot, found
            ),
            w,
            index
        );
    }

    function test_prove_callOfThePortal_reverts() external {
        WithdrawalTransaction memory w = withdrawal(address(portal), "");
        uint256 index = proposeHolding(0, w, 1);
        proveReverts(
            abi.encodeWithSelector(IWithdrawals.Portal_BadTarget.selector, address(portal)), w, index
        );
    }

    function test_prove_changedMessage_reverts() external {
        WithdrawalTransaction memory w = simple();
        uint256 index = proposeHolding(0, w, 1);
        bytes[] memory nodes = Tries.prove(keys[index], keyOf(w));
        w.value += 1;
        OutputRootProof memory proof = proofs[index];
        vm.expectRevert();
        portal.proveWithdrawalTransaction(w, index, proof, nodes);
    }

    // --- execution

    function proven(WithdrawalTransaction memory w) private {
        uint256 index = proposeHolding(0, w, 1);
        prove(USER, w, index);
        vm.warp(block.timestamp + WINDOW);
    }

    function test_execute_failingCall_canBeTriedAgain() external {
        WithdrawalTransaction memory w = withdrawal(address(new Refuser()), "");
        proven(w);
        vm.expectPartialRevert(IWithdrawals.Portal_CallFailed.selector);
        finalize(USER, w);
        vm.assertEq(portal.finalizedWithdrawals(hashOf(w)), false);
        vm.etch(w.target, "");
        finalize(USER, w);
        vm.assertEq(w.target.balance, 3 ether);
    }

    function test_execute_fromWithin_reverts() external {
        Again again = new Again();
        WithdrawalTransaction memory w = withdrawal(address(again), "");
        w.gasLimit = 200_000;
        again.set(w);
        proven(w);
        vm.expectRevert(
            abi.encodeWithSelector(
                IWithdrawals.Portal_CallFailed.selector,
                hashOf(w),
                abi.encodeWithSelector(IWithdrawals.Portal_Reentered.selector)
            )
        );
        finalize(USER, w);
    }

    function test_execute_withTooLittleGas_reverts() external {
        WithdrawalTransaction memory w = simple();
        w.gasLimit = 3_000_000;
        proven(w);
        rollup.finalize(1);
        vm.expectPartialRevert(IWithdrawals.Portal_NotEnoughGas.selector);
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction{ gas: 2_000_000 }(w);
    }

    // --- the guardian

    function test_pause_stopsProofsAndExecutions() external {
        WithdrawalTransaction memory w = simple();
        proven(w);
        vm.prank(GUARDIAN);
        portal.pause();
        uint64 until = uint64(block.timestamp) + PAUSE_MAX;
        vm.expectRevert(abi.encodeWithSelector(IWithdrawals.Portal_Paused.selector, until));
        finalize(USER, w);
        vm.expectRevert(abi.encodeWithSelector(IWithdrawals.Portal_Paused.selector, until));
        portal.finalizeWithdrawalTransactionExternalProof(w, USER);
        proveReverts(abi.encodeWithSelector(IWithdrawals.Portal_Paused.selector, until), w, 1);
        vm.warp(until);
        finalize(USER, w);
    }
}
