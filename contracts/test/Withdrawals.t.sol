// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Portal } from "../src/L1/Portal.sol";
import { IPortal, PortalConfig, WithdrawalTransaction } from "../src/interfaces/IPortal.sol";
import { IRollup, OutputRootProof, Status } from "../src/interfaces/IRollup.sol";
import { MerkleTrie } from "../src/lib/MerkleTrie.sol";
import { Tries } from "./utils/Tries.sol";
import { WithdrawalFixture } from "./utils/WithdrawalFixture.sol";

contract WithdrawalsTest is WithdrawalFixture {
    address private constant NO_SENDER = 0x000000000000000000000000000000000000dEaD;

    function simple() private returns (WithdrawalTransaction memory) {
        return newWithdrawal(USER, RECIPIENT, 3 ether, 50_000, "");
    }

    function timestampOf(WithdrawalTransaction memory w) private view returns (uint256 timestamp) {
        (, timestamp,) = portal.provenWithdrawals(hashOf(w));
    }

    // --- constructor and views

    function test_constructor_storesConfiguration() public view {
        vm.assertEq(address(portal.l2Oracle()), address(rollup));
        vm.assertEq(portal.guardian(), GUARDIAN);
        vm.assertEq(portal.pauseMax(), PAUSE_MAX);
        vm.assertEq(portal.paused(), false);
        vm.assertEq(portal.l2Sender(), NO_SENDER);
        vm.assertEq(bytes(portal.version()), bytes("2.8.0"));
    }

    function test_constructor_badConfig_reverts() public {
        PortalConfig memory config =
            PortalConfig({ rollup: IRollup(address(0)), guardian: GUARDIAN, pauseMax: 1 });
        vm.expectRevert(IPortal.Portal_BadConfig.selector);
        new Portal(config);
        config = PortalConfig({ rollup: rollup, guardian: GUARDIAN, pauseMax: 14 days + 1 });
        vm.expectRevert(IPortal.Portal_BadConfig.selector);
        new Portal(config);
    }

    // --- prove

    function test_prove_records() public {
        WithdrawalTransaction memory w = simple();
        uint256 index = proposeHolding(0, w);
        vm.warp(START_TIME + 5);
        vm.expectEmit(address(portal));
        emit IPortal.WithdrawalProven(hashOf(w), USER, RECIPIENT);
        prove(w, index);
        (bytes32 outputRoot, uint128 timestamp, uint128 l2OutputIndex) = portal.provenWithdrawals(hashOf(w));
        vm.assertEq(outputRoot, rollup.output(index).outputRoot);
        vm.assertEq(timestamp, START_TIME + 5);
        vm.assertEq(l2OutputIndex, index);
    }

    function test_prove_callingThePortal_reverts() public {
        WithdrawalTransaction memory w = newWithdrawal(USER, address(portal), 0, 0, "");
        uint256 index = proposeHolding(0, w);
        proveReverts(abi.encodeWithSelector(IPortal.Portal_BadTarget.selector, address(portal)), w, index);
    }

    function testFuzz_prove_changedField_reverts(uint8 field, uint256 change) public {
        WithdrawalTransaction memory w = newWithdrawal(USER, RECIPIENT, 3 ether, 50_000, "data");
        uint256 index = proposeHolding(0, w);
        bytes[] memory nodes = storageProof(index, w);
        change = bound(change, 1, type(uint160).max);
        if (field % 6 == 0) w.nonce ^= change;
        if (field % 6 == 1) w.sender = address(uint160(w.sender) ^ uint160(change));
        if (field % 6 == 2) w.target = address(uint160(w.target) ^ uint160(change));
        if (field % 6 == 3) w.value ^= change;
        if (field % 6 == 4) w.gasLimit ^= change;
        if (field % 6 == 5) w.data = abi.encode(change);
        // The nodes lead to another key, so the proof ends or names another node where the keys diverge.
        try this.proveWith(w, index, outputProof(index), nodes) {
            revert("proven");
        } catch (bytes memory reason) {
            bool refused = bytes4(reason) == MerkleTrie.MerkleTrie_KeyAbsent.selector
                || bytes4(reason) == MerkleTrie.MerkleTrie_WrongNode.selector
                || bytes4(reason) == MerkleTrie.MerkleTrie_ProofTooShort.selector;
            vm.assertTrue(refused);
        }
    }

    function proveWith(
        WithdrawalTransaction memory w,
        uint256 index,
        OutputRootProof memory proof,
        bytes[] memory nodes
    ) external {
        portal.proveWithdrawalTransaction(w, index, proof, nodes);
    }

    function testFuzz_prove_otherOutputRoot_reverts(uint8 field, uint256 change) public {
        WithdrawalTransaction memory w = simple();
        uint256 index = proposeHolding(0, w);
        OutputRootProof memory proof = outputProof(index);
        bytes32 difference = bytes32(bound(change, 1, type(uint256).max));
        if (field % 4 == 0) proof.version ^= difference;
        if (field % 4 == 1) proof.stateRoot ^= difference;
        if (field % 4 == 2) proof.messagePasserStorageRoot ^= difference;
        if (field % 4 == 3) proof.latestBlockhash ^= difference;
        bytes32 found = keccak256(abi.encode(proof));
        bytes32 root = rollup.output(index).outputRoot;
        bytes[] memory nodes = storageProof(index, w);
        vm.expectRevert(abi.encodeWithSelector(IPortal.Portal_WrongOutputRoot.selector, root, found));
        this.proveWith(w, index, proof, nodes);
    }

    function test_prove_unknownOutput_reverts() public {
        WithdrawalTransaction memory w = simple();
        uint256 index = proposeHolding(0, w);
        OutputRootProof memory proof = outputProof(index);
        bytes[] memory nodes = storageProof(index, w);
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_UnknownOutput.selector, 2, 2));
        portal.proveWithdrawalTransaction(w, 2, proof, nodes);
    }

    function test_prove_challengedOutput_reverts() public {
        WithdrawalTransaction memory w = simple();
        uint256 index = proposeHolding(0, w);
        challenge(index);
        proveReverts(abi.encodeWithSelector(IPortal.Portal_OutputDisputed.selector, index), w, index);
    }

    function test_prove_slotHoldsSomethingElse_reverts() public {
        WithdrawalTransaction memory w = simple();
        // A trie with one leaf, under the message's key, that holds 2.
        bytes memory leaf = Tries.list(abi.encodePacked(Tries.str(Tries.path(keyOf(w), 0, 64, 2)), hex"02"));
        Proposal memory p = proposalOn(0, 1, 1, "two");
        p.proof.messagePasserStorageRoot = keccak256(leaf);
        uint256 index = propose(p);
        bytes[] memory nodes = new bytes[](1);
        nodes[0] = leaf;
        vm.expectRevert(abi.encodeWithSelector(IPortal.Portal_NotSent.selector, hashOf(w)));
        portal.proveWithdrawalTransaction(w, index, p.proof, nodes);
    }

    function test_prove_again_reverts() public {
        WithdrawalTransaction memory w = simple();
        uint256 index = proposeHolding(0, w);
        uint256 later = proposeHolding(index, w);
        prove(w, index);
        vm.warp(START_TIME + 100);
        bytes memory reason = abi.encodeWithSelector(IPortal.Portal_AlreadyProven.selector, hashOf(w), index);
        proveReverts(reason, w, index);
        proveReverts(reason, w, later);
        vm.assertEq(timestampOf(w), START_TIME);
    }

    function test_prove_again_whenTheOutputIsChallenged() public {
        WithdrawalTransaction memory w = simple();
        uint256 index = proposeHolding(0, w);
        prove(w, index);
        challenge(index);
        vm.assertEq(timestampOf(w), 0);

        uint256 next = proposeHolding(0, 2, keysWith(w));
        vm.warp(START_TIME + 100);
        prove(w, next);
        vm.assertEq(timestampOf(w), START_TIME + 100);
        vm.warp(START_TIME + 100 + WINDOW);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(RECIPIENT.balance, 3 ether);
    }

    function test_prove_again_whenAnAncestorIsChallenged() public {
        WithdrawalTransaction memory w = simple();
        uint256 parent = proposeOn(0, "parent");
        uint256 child = proposeHolding(proposeOn(parent, "middle"), w);
        prove(w, child);
        challenge(parent);
        vm.assertEq(timestampOf(w), 0);
        uint256 next = proposeHolding(0, 2, keysWith(w));
        prove(w, next);
        vm.assertEq(timestampOf(w), START_TIME);
    }

    /// @dev A proof with a void output can be replaced, even if somebody else made it.
    function test_prove_onVoidOutput_canBeReplaced() public {
        WithdrawalTransaction memory w = simple();
        uint256 parent = proposeOn(0, "parent");
        uint256 child = proposeHolding(parent, w);
        challenge(parent);
        prove(w, child);
        vm.assertEq(timestampOf(w), 0);
        uint256 next = proposeHolding(0, 2, keysWith(w));
        prove(w, next);
        vm.assertEq(timestampOf(w), START_TIME);
    }

    // --- finalize

    function test_finalize_callsTheTarget() public {
        Target target = new Target(portal);
        WithdrawalTransaction memory w =
            newWithdrawal(USER, address(target), 2 ether, 100_000, abi.encodeCall(Target.note, (7)));
        uint256 index = proveAndWait(w);
        vm.expectEmit(address(portal));
        emit IPortal.WithdrawalFinalized(hashOf(w), true);
        portal.finalizeWithdrawalTransaction(w);

        vm.assertEq(address(target).balance, 2 ether);
        vm.assertEq(target.number(), 7);
        vm.assertEq(target.l2Sender(), USER);
        vm.assertTrue(target.gasFound() >= 100_000 - 1000);
        vm.assertEq(portal.l2Sender(), NO_SENDER);
        vm.assertTrue(portal.finalizedWithdrawals(hashOf(w)));
        vm.assertTrue(portal.isOutputFinalized(index));
        vm.assertEq(timestampOf(w), START_TIME);
    }

    function test_finalize_finalizesAncestorsToo() public {
        WithdrawalTransaction memory w = simple();
        uint256 parent = proposeOn(0, "parent");
        uint256 child = proposeHolding(parent, w);
        prove(w, child);
        vm.warp(START_TIME + WINDOW);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(RECIPIENT.balance, 3 ether);
        vm.assertTrue(portal.isOutputFinalized(parent));
    }

    function test_finalize_twice_reverts() public {
        WithdrawalTransaction memory w = simple();
        uint256 index = proveAndWait(w);
        portal.finalizeWithdrawalTransaction(w);
        bytes memory reason = abi.encodeWithSelector(IPortal.Portal_AlreadyFinalized.selector, hashOf(w));
        vm.expectRevert(reason);
        portal.finalizeWithdrawalTransaction(w);
        proveReverts(reason, w, index);
        vm.assertEq(RECIPIENT.balance, 3 ether);
    }

    function test_finalize_notProven_reverts() public {
        WithdrawalTransaction memory w = simple();
        proposeHolding(0, w);
        vm.warp(START_TIME + WINDOW);
        vm.expectRevert(abi.encodeWithSelector(IPortal.Portal_NotProven.selector, hashOf(w)));
        portal.finalizeWithdrawalTransaction(w);
    }

    function test_finalize_early_reverts() public {
        WithdrawalTransaction memory w = simple();
        uint256 index = proposeHolding(0, w);
        vm.warp(START_TIME + WINDOW);
        rollup.finalize(index);
        prove(w, index);
        vm.warp(START_TIME + 2 * WINDOW - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IPortal.Portal_ProofTooYoung.selector, hashOf(w), START_TIME + 2 * WINDOW)
        );
        portal.finalizeWithdrawalTransaction(w);
        vm.warp(START_TIME + 2 * WINDOW);
        portal.finalizeWithdrawalTransaction(w);
    }

    function test_finalize_challengedOutput_reverts() public {
        WithdrawalTransaction memory w = simple();
        uint256 index = proposeHolding(0, w);
        prove(w, index);
        challenge(index);
        vm.warp(START_TIME + 100 * WINDOW);
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_NotProposed.selector, index, Status.Challenged));
        portal.finalizeWithdrawalTransaction(w);
    }

    function test_finalize_childOfChallengedOutput_reverts() public {
        WithdrawalTransaction memory w = simple();
        uint256 parent = proposeOn(0, "parent");
        uint256 child = proposeHolding(parent, w);
        prove(w, child);
        challenge(parent);
        vm.warp(START_TIME + 100 * WINDOW);
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.Rollup_AncestorDisputed.selector, parent, Status.Challenged)
        );
        portal.finalizeWithdrawalTransaction(w);
    }

    function test_finalize_failingCall_canBeTriedAgain() public {
        Target target = new Target(portal);
        WithdrawalTransaction memory w =
            newWithdrawal(USER, address(target), 2 ether, 50_000, abi.encodeCall(Target.noteWhenReady, (7)));
        proveAndWait(w);
        vm.expectRevert(
            abi.encodeWithSelector(
                IPortal.Portal_CallFailed.selector,
                hashOf(w),
                abi.encodeWithSignature("Error(string)", "wait")
            )
        );
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(portal.finalizedWithdrawals(hashOf(w)), false);
        vm.assertEq(portal.l2Sender(), NO_SENDER);

        target.getReady();
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(target.number(), 7);
        vm.assertEq(address(target).balance, 2 ether);
    }

    function test_finalize_moreThanThePortalHolds_reverts() public {
        WithdrawalTransaction memory w = newWithdrawal(USER, RECIPIENT, 101 ether, 0, "");
        proveAndWait(w);
        vm.expectRevert(abi.encodeWithSelector(IPortal.Portal_CallFailed.selector, hashOf(w), ""));
        portal.finalizeWithdrawalTransaction(w);
    }

    /// @dev With any amount of gas, the message's call gets the gas that it asks for or the transaction
    ///      reverts.
    function testFuzz_finalize_guaranteesGas(uint256 gas, uint256 gasLimit) public {
        Target target = new Target(portal);
        gasLimit = bound(gasLimit, 0, 2_000_000);
        gas = bound(gas, 100_000, 2_600_000);
        WithdrawalTransaction memory w =
            newWithdrawal(USER, address(target), 1, gasLimit, abi.encodeCall(Target.note, (7)));
        rollup.finalize(proveAndWait(w));
        try portal.finalizeWithdrawalTransaction{ gas: gas }(w) {
            // The target measures the gas after its first instructions.
            vm.assertTrue(target.gasFound() + 1000 >= gasLimit);
        } catch {
            vm.assertEq(target.number(), 0);
            vm.assertEq(portal.finalizedWithdrawals(hashOf(w)), false);
        }
    }

    function test_finalize_withoutTheGasAskedFor_reverts() public {
        WithdrawalTransaction memory w = newWithdrawal(USER, RECIPIENT, 1, 1_000_000, "");
        rollup.finalize(proveAndWait(w));
        (bool ok, bytes memory reason) = address(portal).call{ gas: 1_050_000 }(
            abi.encodeCall(portal.finalizeWithdrawalTransaction, (w))
        );
        vm.assertEq(ok, false);
        vm.assertEq(bytes32(bytes4(reason)), bytes32(IPortal.Portal_NotEnoughGas.selector));
        portal.finalizeWithdrawalTransaction{ gas: 1_200_000 }(w);
    }

    /// @dev The message asks for more gas than an L1 transaction can have.
    function test_finalize_hugeGasLimit_getsMaximum() public {
        WithdrawalTransaction memory w = newWithdrawal(USER, RECIPIENT, 1, type(uint256).max, "");
        proveAndWait(w);
        portal.finalizeWithdrawalTransaction{ gas: 16_000_000 }(w);
        vm.assertEq(RECIPIENT.balance, 1);
    }

    function test_finalize_reentered_reverts() public {
        Reenterer target = new Reenterer(portal);
        WithdrawalTransaction memory inner = newWithdrawal(USER, RECIPIENT, 1 ether, 0, "");
        WithdrawalTransaction memory outer = newWithdrawal(
            USER, address(target), 0, 0, abi.encodeCall(portal.finalizeWithdrawalTransaction, (inner))
        );
        bytes32[] memory keys = new bytes32[](2);
        (keys[0], keys[1]) = (keyOf(inner), keyOf(outer));
        uint256 index = proposeHolding(0, 1, keys);
        prove(inner, index);
        prove(outer, index);
        vm.warp(START_TIME + WINDOW);
        portal.finalizeWithdrawalTransaction(outer);
        vm.assertEq(target.reason(), abi.encodeWithSelector(IPortal.Portal_Reentered.selector));
        vm.assertEq(RECIPIENT.balance, 0);
        portal.finalizeWithdrawalTransaction(inner);
        vm.assertEq(RECIPIENT.balance, 1 ether);
    }

    // --- pause

    function test_pause_stopsWithdrawalsOnly() public {
        WithdrawalTransaction memory w = simple();
        uint256 index = proveAndWait(w);
        WithdrawalTransaction memory other = simple();
        vm.expectEmit(address(portal));
        emit IPortal.Paused(GUARDIAN);
        vm.prank(GUARDIAN);
        portal.pause();
        uint64 until = uint64(block.timestamp) + PAUSE_MAX;
        bytes memory reason = abi.encodeWithSelector(IPortal.Portal_Paused.selector, until);
        vm.expectRevert(reason);
        portal.finalizeWithdrawalTransaction(w);
        uint256 next = proposeHolding(0, 2, keysWith(other));
        proveReverts(reason, other, next);

        rollup.finalize(index);
        vm.prank(USER, USER);
        portal.depositTransaction{ value: 1 }(USER, 1, 21_000, false, "");
        vm.assertEq(portal.depositCount(), 1);

        vm.warp(until - 1);
        vm.assertTrue(portal.paused());
        vm.warp(until);
        vm.assertEq(portal.paused(), false);
        portal.finalizeWithdrawalTransaction(w);
        prove(other, next);
    }

    function test_pause_onlyTheGuardian() public {
        vm.expectRevert(abi.encodeWithSelector(IPortal.Portal_NotGuardian.selector, USER));
        vm.prank(USER);
        portal.pause();
        vm.expectRevert(abi.encodeWithSelector(IPortal.Portal_NotGuardian.selector, USER));
        vm.prank(USER);
        portal.unpause();
    }

    function test_pause_tooSoon_reverts() public {
        vm.prank(GUARDIAN);
        portal.pause();
        vm.prank(GUARDIAN);
        portal.unpause();
        vm.warp(START_TIME + 4 * PAUSE_MAX - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IPortal.Portal_PausedTooRecently.selector, uint64(START_TIME) + 4 * PAUSE_MAX
            )
        );
        vm.prank(GUARDIAN);
        portal.pause();
        vm.warp(START_TIME + 4 * PAUSE_MAX);
        vm.prank(GUARDIAN);
        portal.pause();
    }

    function test_unpause_endsThePause() public {
        vm.expectRevert(IPortal.Portal_NotPaused.selector);
        vm.prank(GUARDIAN);
        portal.unpause();
        vm.prank(GUARDIAN);
        portal.pause();
        vm.warp(START_TIME + 1);
        vm.expectEmit(address(portal));
        emit IPortal.Unpaused(GUARDIAN);
        vm.prank(GUARDIAN);
        portal.unpause();
        vm.assertEq(portal.paused(), false);
    }

    /// @dev For any actions of the guardian, withdrawals are paused for at most pauseMax in any period of 4
    ///      pauseMax.
    function testFuzz_pause_isBounded(uint256[24] calldata steps) public {
        uint256[24] memory starts;
        uint256[24] memory ends;
        uint256 count;
        for (uint256 i; i < steps.length; ++i) {
            vm.warp(block.timestamp + bound(steps[i] >> 8, 0, 2 * PAUSE_MAX));
            bytes memory call =
                steps[i] % 3 == 0 ? abi.encodeCall(portal.unpause, ()) : abi.encodeCall(portal.pause, ());
            vm.prank(GUARDIAN);
            (bool ok,) = address(portal).call(call);
            if (!ok) continue;
            if (steps[i] % 3 == 0) ends[count - 1] = block.timestamp;
            else (starts[count], ends[count++]) = (block.timestamp, portal.pausedUntil());
        }
        // The worst period begins with a pause.
        for (uint256 i; i < count; ++i) {
            uint256 pausedFor;
            for (uint256 j = i; j < count; ++j) {
                uint256 end = starts[i] + 4 * PAUSE_MAX;
                if (starts[j] < end) pausedFor += (ends[j] < end ? ends[j] : end) - starts[j];
            }
            vm.assertLe(pausedFor, PAUSE_MAX);
        }
    }

    // --- gas

    /// @dev Both transactions together take less than 400,000 gas, in a trie of some hundred withdrawals.
    function test_gas_ofAWithdrawal() public {
        WithdrawalTransaction memory w = newWithdrawal(USER, RECIPIENT, 1 ether, 21_000, "");
        bytes32[] memory keys = new bytes32[](150);
        keys[0] = keyOf(w);
        for (uint256 i = 1; i < keys.length; ++i) {
            keys[i] = keccak256(abi.encode("other", i));
        }
        uint256 index = proposeHolding(0, 1, keys);
        uint256 gas = transactionGas(
            abi.encodeCall(
                portal.proveWithdrawalTransaction, (w, index, outputProof(index), storageProof(index, w))
            )
        );
        vm.warp(START_TIME + WINDOW);
        gas += transactionGas(abi.encodeCall(portal.finalizeWithdrawalTransaction, (w)));
        vm.assertGt(400_000, gas);
        vm.assertEq(RECIPIENT.balance, 1 ether);
    }

    function test_gas_ofADeposit() public {
        vm.prank(USER, USER);
        portal.depositTransaction(USER, 0, 21_000, false, "");
        vm.warp(START_TIME + 1);
        for (uint256 i; i < 4; ++i) {
            bytes memory input =
                abi.encodeCall(portal.depositTransaction, (RECIPIENT, 1 ether, 100_000, false, ""));
            vm.assertGt(95_000, transactionGas(input));
        }
    }

    /// @dev Gas of a transaction of USER's to the portal with this input, all state cold.
    function transactionGas(bytes memory input) private returns (uint256 gas) {
        gas = 21_000;
        for (uint256 i; i < input.length; ++i) {
            gas += input[i] == 0 ? 4 : 16;
        }
        vm.cool(address(portal));
        vm.cool(address(rollup));
        vm.cool(RECIPIENT);
        vm.prank(USER, USER);
        uint256 before = gasleft();
        (bool ok,) = address(portal).call(input);
        gas += before - gasleft();
        vm.assertTrue(ok);
    }
}

/// @dev Records the calls that it receives.
contract Target {
    Portal private immutable _portal;
    uint256 public number;
    uint256 public gasFound;
    address public l2Sender;
    bool private _ready;

    constructor(Portal portal) {
        _portal = portal;
    }

    function note(uint256 number_) public payable {
        gasFound = gasleft();
        number = number_;
        l2Sender = _portal.l2Sender();
    }

    function noteWhenReady(uint256 number_) external payable {
        require(_ready, "wait");
        note(number_);
    }

    function getReady() external {
        _ready = true;
    }
}

/// @dev Forwards its calldata to the portal.
contract Reenterer {
    Portal private immutable _portal;
    bytes public reason;

    constructor(Portal portal) {
        _portal = portal;
    }

    fallback(bytes calldata input) external returns (bytes memory) {
        (, reason) = address(_portal).call(input);
        return "";
    }
}
