// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Bisection, GameStatus, IDispute } from "../src/interfaces/IDispute.sol";
import { IPreimageOracle } from "../src/interfaces/IPreimageOracle.sol";
import { Belief, Play } from "./utils/DisputeFixture.sol";
import { DisputeMachineFixture } from "./utils/DisputeMachineFixture.sol";
import { Machine } from "./utils/RiscvFixture.sol";

/// @notice The last move of a game, with the real step contract and the real oracle.
contract DisputeMachineTest is DisputeMachineFixture {
    uint64 private constant DATA = 0xfffffff8;
    uint32 private constant ADDI_A0_A0_MINUS_1 = 0xfff50513;
    uint32 private constant SD_A0_A1 = 0x00a5b023;

    /// @dev The last block of nine entries is a segment of its own in a challenge's opening, so it is the
    ///      liar who divides down to single steps.
    uint64 private constant ENTRY = 9;
    uint64 private constant BLOCK = 899;

    uint256 private index;
    uint256 private game;
    Bisection private last;

    function setUp() public override {
        super.setUp();
        index = proposeWrong(0, ENTRY);
    }

    function disputedBlock() internal pure override returns (uint64) {
        return BLOCK;
    }

    /// @dev Plays until the honest side must prove a step.
    function playToTheStep() private {
        Belief memory liar = trusting(BLOCK + 1, STEP + 1);
        (uint256 id, Bisection memory opened) = open(CHALLENGER, index, truth());
        Bisection memory bisection;
        (game, bisection) = defend(LIAR, id, opened, liar);
        for (;;) {
            bool isLiar = mover(game) == LIAR;
            Play memory play = playOn(isLiar ? liar : truth(), index, bisection);
            if (play.proves) break;
            bisection = move(game, bisection, isLiar ? liar : truth());
        }
        vm.assertEq(mover(game), CHALLENGER);
        last = bisection;
    }

    function proves() private {
        playToTheStep();
        provesNow();
    }

    function provesNow() private {
        vm.expectEmit(address(dispute));
        emit IDispute.StepProven(
            game,
            keccak256(super.stateAt(trusting(BLOCK + 1, STEP + 1), index, BLOCK, 0, STEP + 1)),
            keccak256(encode(expected))
        );
        move(game, last, truth());
        vm.assertTrue(dispute.gameAt(game).status == GameStatus.ChallengerWon);
    }

    function test_prove_computes() public {
        next(ADDI_A0_A0_MINUS_1);
        expectNext();
        expected.registers[A0] = type(uint64).max;
        proves();
    }

    function test_prove_stores() public {
        next(SD_A0_A1);
        machine.registers[A0] = 0x0123456789abcdef;
        machine.registers[A0 + 1] = DATA;
        Machine memory before = machine;
        expectNext();
        proof = abi.encodePacked(path(PC), path(DATA));
        write(DATA, 8, 0x0123456789abcdef);
        expected.memoryRoot = machine.memoryRoot;
        machine.memoryRoot = before.memoryRoot;
        proves();
    }

    function test_prove_halts() public {
        proof = path(PC);
        expected = machine;
        expected.step += 1;
        expected.exited = true;
        expected.exitCode = 132;
        proves();
    }

    /// @dev A halted machine does not change: nobody can claim that it continued.
    function test_prove_haltedMachine_doesNotChange() public {
        machine.exited = true;
        expected = machine;
        proves();
    }

    // --- what the game sets

    function test_prove_readsChainConfig() public {
        readsLocal(0, inbox.chainConfigHash());
    }

    function test_prove_readsAgreedRoot() public {
        readsLocal(1, rootAt(truth(), index, BLOCK));
    }

    function test_prove_readsAccumulatorOfTheEntry() public {
        readsLocal(2, inbox.acc(ENTRY));
    }

    function test_prove_readsBlockIndex() public {
        readsLocal(3, bytes32(uint256(blocksPerEntry() - 1)));
    }

    /// @dev Positions count from the parent output, and blocks within their entry.
    function test_prove_readsAccumulator_onALaterParent() public {
        index = proposeWrong(proposeRight(0, 3), ENTRY);
        readsLocal(2, inbox.acc(3 + ENTRY));
    }

    function readsLocal(uint256 number, bytes32 word) private {
        reads(bytes32(1 << 248 | number), 0, word, 32);
        proves();
    }

    // --- what has to be loaded

    /// @dev The proof reverts until the preimage that the step reads is loaded. Anyone may load it.
    function test_prove_readsPreimage_onceLoaded() public {
        bytes memory preimage = pattern(1000);
        (bytes32 key, uint64 offset) = readsPreimage(preimage);
        playToTheStep();
        Play memory play = playOn(truth(), index, last);
        Bisection memory answered = last;
        vm.expectRevert(
            abi.encodeWithSelector(IPreimageOracle.PreimageOracle_NotLoaded.selector, key, offset)
        );
        vm.prank(CHALLENGER);
        dispute.prove(game, answered, play.answer.segment, play.state, proof);
        vm.prank(PUPPET);
        oracle.loadKeccak(offset, preimage);
        provesNow();
    }
}
