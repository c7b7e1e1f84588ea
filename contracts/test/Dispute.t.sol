// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Dispute } from "../src/L1/Dispute.sol";
import { Rollup } from "../src/L1/Rollup.sol";
import { IBonds } from "../src/interfaces/IBonds.sol";
import {
    Answer,
    Bisection,
    Challenge,
    ChallengeStatus,
    DisputeConfig,
    Game,
    GameStatus,
    IDispute,
    Phase
} from "../src/interfaces/IDispute.sol";
import { IInbox } from "../src/interfaces/IInbox.sol";
import { IRiscvStep } from "../src/interfaces/IRiscvStep.sol";
import { IRollup, RollupConfig, Status } from "../src/interfaces/IRollup.sol";
import { Belief, DisputeFixture, Play } from "./utils/DisputeFixture.sol";

/// @notice Valid and invalid calls of the dispute contract, move by move.
contract DisputeTest is DisputeFixture {
    uint256 private index;
    uint256 private id;
    uint256 private game;
    Bisection private opened;
    Bisection private last;
    Belief private lie;

    /// @dev A wrong output with an honest challenge.
    function challenged() private {
        challenged(3);
    }

    function challenged(uint64 entries) private {
        index = proposeWrong(0, entries);
        Bisection memory bisection;
        (id, bisection) = open(CHALLENGER, index, truth());
        opened = bisection;
        last = bisection;
    }

    /// @dev The same with a lying defender. It is the challenger's turn.
    function defended() private {
        challenged();
        defendedBy(trusting(150, 4000));
    }

    function defendedBy(Belief memory belief) private {
        lie = belief;
        Bisection memory bisection;
        (game, bisection) = defend(LIAR, id, opened, liar());
        last = bisection;
    }

    /// @dev The same, played until the honest side must divide a single block.
    function atSingleBlock() private {
        defended();
        while (singleOf(last, truth()) == 0) next();
        vm.assertTrue(last.phase == Phase.Blocks);
    }

    /// @dev Plays until the honest side must prove a step. Of 900 positions in parts of 29 the last is a part
    ///      of its own, so the liar enters the machine phase.
    function atSingleStep() private {
        challenged(9);
        defendedBy(trusting(900, 4000));
        while (last.phase != Phase.Machine || singleOf(last, truth()) == 0) next();
    }

    /// @dev Makes the next move of either side.
    function next() private {
        bool isHonest = mover(game) == CHALLENGER;
        last = move(game, last, isHonest ? truth() : liar());
    }

    function liar() private view returns (Belief memory) {
        return lie.fromBlock == 0 ? trusting(150, 4000) : lie;
    }

    /// @dev 1 if it is the honest side's turn and its move is about a single position.
    function singleOf(Bisection memory answered, Belief memory belief) private view returns (uint256) {
        if (mover(game) != CHALLENGER) return 0;
        uint64 i = playOn(belief, index, answered).answer.segment;
        return segmentAt(answered, i).last - segmentAt(answered, i).first == 1 ? 1 : 0;
    }

    function answerOf(Belief memory belief) private view returns (Answer memory) {
        return playOn(belief, index, last).answer;
    }

    function moveReverts(bytes memory reason, Answer memory answer) private {
        Bisection memory answered = last;
        address who = mover(game);
        vm.expectRevert(reason);
        vm.prank(who);
        dispute.move(game, answered, answer);
    }

    // --- constructor

    function test_constructor_storesConfiguration() public view {
        vm.assertEq(address(dispute.rollup()), address(rollup));
        vm.assertEq(address(dispute.inbox()), address(inbox));
        vm.assertEq(address(dispute.riscvStep()), address(fake));
        vm.assertEq(rollup.dispute(), address(dispute));
        vm.assertEq(dispute.blocksPerEntryMax(), blocksPerEntry());
        vm.assertEq(dispute.gameBond(), GAME_BOND);
        vm.assertEq(dispute.gameClock(), GAME_CLOCK);
        vm.assertEq(dispute.gameIncrement(), GAME_INCREMENT);
        // 1000 positions take 2 bisections, 2^42 steps take 9, and the proof is one more move.
        vm.assertEq(dispute.disputeSecondsMax(), 2 * uint256(GAME_CLOCK) + 12 * uint256(GAME_INCREMENT));
        vm.assertEq(dispute.challengeCount(), 0);
        vm.assertEq(dispute.gameCount(), 0);
    }

    function test_constructor_badConfig_reverts() public {
        RollupConfig memory window = defaultRollupConfig();
        DisputeConfig memory config = defaultDisputeConfig();
        config.blocksPerEntryMax = 0;
        constructorReverts(window, config);
        config = defaultDisputeConfig();
        config.gameClock = 0;
        constructorReverts(window, config);
        config = defaultDisputeConfig();
        config.gameIncrement = 0;
        constructorReverts(window, config);
        config = defaultDisputeConfig();
        config.gameBond = 0;
        constructorReverts(window, config);
    }

    /// @dev Players must be able to read blobs until the end, so challenge window and longest dispute are 14
    ///      days at most.
    function test_constructor_disputeOutlivesBlobs_reverts() public {
        RollupConfig memory window = defaultRollupConfig();
        window.challengeWindow = uint64(14 days - dispute.disputeSecondsMax());
        newRollup(window);
        window.challengeWindow += 1;
        constructorReverts(window, defaultDisputeConfig());
    }

    function test_constructor_outputOfTooManyBlocks_reverts() public {
        RollupConfig memory window = defaultRollupConfig();
        DisputeConfig memory config = defaultDisputeConfig();
        config.blocksPerEntryMax = (1 << 28) / window.entriesPerOutputMax + 1;
        constructorReverts(window, config);
    }

    function test_constructor_rollupNamesOtherDispute_reverts() public {
        DisputeConfig memory config = defaultDisputeConfig();
        vm.expectRevert(IDispute.Dispute_BadConfig.selector);
        new Dispute(IRollup(address(rollup)), IRiscvStep(address(fake)), config);
    }

    function constructorReverts(RollupConfig memory window, DisputeConfig memory config) private {
        address predicted = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        Rollup made = new Rollup(IInbox(address(inbox)), predicted, GENESIS_ROOT, window);
        vm.expectRevert(IDispute.Dispute_BadConfig.selector);
        new Dispute(IRollup(address(made)), IRiscvStep(address(fake)), config);
    }

    function test_receive_notRollup_reverts() public {
        vm.prank(LIAR);
        (bool sent, bytes memory reason) = address(dispute).call{ value: 1 }("");
        vm.assertEq(sent, false);
        vm.assertEq(reason, abi.encodeWithSelector(IDispute.Dispute_NotRollup.selector, LIAR));
    }

    // --- challenge

    function test_challenge_opens() public {
        index = proposeWrong(0, 3);
        Answer memory answer = opening(truth(), index);
        Bisection memory bisection = bisectionOf(outputSegment(index), answer);
        bytes32 claim = rollup.output(index).claim;
        vm.warp(START_TIME + WINDOW - 1);
        vm.expectEmit(address(rollup));
        emit IRollup.OutputChallenged(index, claim, 1);
        vm.expectEmit(address(dispute));
        emit IDispute.ChallengeOpened(0, index, CHALLENGER, dispute.hashOf(bisection), bisection);
        vm.prank(CHALLENGER);
        id = dispute.challenge{ value: GAME_BOND }(index, claim, answer);

        Challenge memory opened_ = dispute.challengeAt(id);
        vm.assertEq(opened_.challenger, CHALLENGER);
        vm.assertEq(opened_.startedAt, START_TIME + WINDOW - 1);
        vm.assertEq(opened_.openGames, 0);
        vm.assertTrue(opened_.status == ChallengeStatus.Open);
        vm.assertEq(opened_.output, index);
        vm.assertEq(opened_.bisection, keccak256(abi.encode(bisection)));
        vm.assertEq(dispute.challengeCount(), 1);
        vm.assertEq(address(dispute).balance, GAME_BOND);
        vm.assertTrue(rollup.output(index).status == Status.Challenged);
        // 300 positions are divided into 30 parts of 10.
        vm.assertEq(bisection.claims.length, 30);
        vm.assertEq(bisection.last, 300);
    }

    function test_challenge_wrongBond_reverts() public {
        index = proposeWrong(0, 3);
        Answer memory answer = opening(truth(), index);
        bytes32 claim = rollup.output(index).claim;
        for (uint256 value = GAME_BOND - 1; value <= GAME_BOND + 1; value += 2) {
            vm.expectRevert(abi.encodeWithSelector(IDispute.Dispute_WrongBond.selector, GAME_BOND, value));
            vm.prank(CHALLENGER);
            dispute.challenge{ value: value }(index, claim, answer);
        }
    }

    function test_challenge_badOutput_reverts() public {
        index = proposeWrong(0, 3);
        Answer memory answer = opening(truth(), index);
        bytes32 claim = rollup.output(index).claim;
        challengeReverts(
            abi.encodeWithSelector(IRollup.Rollup_WrongClaim.selector, index, bytes32(0), claim), 0, answer
        );
        vm.warp(START_TIME + WINDOW);
        challengeReverts(
            abi.encodeWithSelector(IRollup.Rollup_WindowOver.selector, index, START_TIME + WINDOW),
            claim,
            answer
        );
        rollup.finalize(index);
        challengeReverts(
            abi.encodeWithSelector(IRollup.Rollup_NotProposed.selector, index, Status.Final), claim, answer
        );
    }

    function test_challenge_badAnswer_reverts() public {
        index = proposeWrong(0, 3);
        Answer memory answer = opening(truth(), index);
        bytes32 claim = rollup.output(index).claim;
        answer.segment = 1;
        challengeReverts(abi.encodeWithSelector(IDispute.Dispute_NoSuchSegment.selector, 1, 1), claim, answer);
        answer.segment = 0;
        answer.finalState = hex"00";
        challengeReverts(
            abi.encodeWithSelector(IDispute.Dispute_UnexpectedFinalState.selector), claim, answer
        );
        answer.finalState = "";
        answer.claims[29] = rollup.output(index).outputRoot;
        challengeReverts(
            abi.encodeWithSelector(IDispute.Dispute_SameClaim.selector, answer.claims[29]), claim, answer
        );
        uint256[4] memory counts = [uint256(0), 29, 31, 300];
        for (uint256 i; i < counts.length; ++i) {
            answer.claims = new bytes32[](counts[i]);
            challengeReverts(
                abi.encodeWithSelector(IDispute.Dispute_WrongClaimCount.selector, 30, counts[i]),
                claim,
                answer
            );
        }
    }

    function challengeReverts(bytes memory reason, bytes32 claim, Answer memory answer) private {
        vm.expectRevert(reason);
        vm.prank(CHALLENGER);
        dispute.challenge{ value: GAME_BOND }(index, claim, answer);
    }

    // --- defend

    function test_defend_opensAGame() public {
        challenged();
        vm.warp(START_TIME + 600);
        Answer memory answer = answerOf(liar());
        Bisection memory answered = opened;
        Bisection memory bisection = bisectionOf(segmentAt(answered, answer.segment), answer);
        bytes32 hash = dispute.hashOf(bisection);
        vm.expectEmit(address(dispute));
        emit IDispute.GameOpened(0, id, LIAR);
        vm.expectEmit(address(dispute));
        emit IDispute.Moved(0, hash, GameStatus.ChallengerToMove, GAME_CLOCK, GAME_CLOCK - 600, bisection);
        vm.prank(LIAR);
        game = dispute.defend{ value: GAME_BOND }(id, answered, answer);

        Game memory made = dispute.gameAt(game);
        vm.assertEq(made.defender, LIAR);
        vm.assertEq(made.movedAt, START_TIME + 600);
        vm.assertEq(made.challengerClock, GAME_CLOCK);
        vm.assertEq(made.defenderClock, GAME_CLOCK - 600);
        vm.assertTrue(made.status == GameStatus.ChallengerToMove);
        vm.assertEq(made.challenge, id);
        vm.assertEq(made.bisection, hash);
        vm.assertEq(bisection.answered, dispute.challengeAt(id).bisection);
        vm.assertEq(dispute.gameCount(), 1);
        vm.assertEq(dispute.challengeAt(id).openGames, 1);
        vm.assertEq(address(dispute).balance, 2 * GAME_BOND);
    }

    function test_defend_atTheLastSecond() public {
        challenged();
        vm.warp(START_TIME + GAME_CLOCK);
        (game,) = defend(LIAR, id, opened, liar());
        vm.assertEq(dispute.gameAt(game).defenderClock, GAME_INCREMENT);
        vm.assertEq(dispute.gameAt(game).challengerClock, GAME_CLOCK);
    }

    function test_defend_tooLate_reverts() public {
        challenged();
        vm.warp(START_TIME + GAME_CLOCK + 1);
        defendReverts(
            abi.encodeWithSelector(IDispute.Dispute_DefenceOver.selector, id, START_TIME + GAME_CLOCK),
            id,
            GAME_BOND
        );
    }

    function test_defend_wrongBond_reverts() public {
        challenged();
        defendReverts(abi.encodeWithSelector(IDispute.Dispute_WrongBond.selector, GAME_BOND, 0), id, 0);
    }

    function test_defend_unknownChallenge_reverts() public {
        challenged();
        defendReverts(abi.encodeWithSelector(IDispute.Dispute_UnknownChallenge.selector, 1), 1, GAME_BOND);
    }

    function test_defend_decidedChallenge_reverts() public {
        defended();
        vm.warp(START_TIME + GAME_CLOCK + 1);
        dispute.timeOut(game);
        vm.assertTrue(dispute.challengeAt(id).status == ChallengeStatus.Failed);
        last = opened;
        defendReverts(abi.encodeWithSelector(IDispute.Dispute_ChallengeOver.selector, id), id, GAME_BOND);
    }

    function test_defend_otherBisection_reverts() public {
        challenged();
        bytes32 expected = dispute.hashOf(opened);
        Answer memory answer = answerOf(liar());
        last.start = keccak256("another beginning");
        Bisection memory answered = last;
        vm.expectRevert(
            abi.encodeWithSelector(
                IDispute.Dispute_WrongBisection.selector, expected, dispute.hashOf(answered)
            )
        );
        vm.prank(LIAR);
        dispute.defend{ value: GAME_BOND }(id, answered, answer);
    }

    function defendReverts(bytes memory reason, uint256 id_, uint256 value) private {
        Bisection memory answered = opened;
        Answer memory answer = playOn(liar(), index, answered).answer;
        vm.expectRevert(reason);
        vm.prank(LIAR);
        dispute.defend{ value: value }(id_, answered, answer);
    }

    // --- move

    function test_move_answers() public {
        defended();
        vm.warp(START_TIME + 1000);
        Answer memory answer = answerOf(truth());
        Bisection memory answered = last;
        Bisection memory bisection = bisectionOf(segmentAt(answered, answer.segment), answer);
        bytes32 hash = dispute.hashOf(bisection);
        vm.expectEmit(address(dispute));
        emit IDispute.Moved(game, hash, GameStatus.DefenderToMove, GAME_CLOCK - 1000, GAME_CLOCK, bisection);
        vm.prank(CHALLENGER);
        dispute.move(game, answered, answer);
        vm.assertEq(dispute.gameAt(game).bisection, hash);
        vm.assertEq(dispute.gameAt(game).movedAt, START_TIME + 1000);
        vm.assertEq(mover(game), LIAR);
    }

    /// @dev A move in the last second is valid and leaves the increment on the clock. One second later the
    ///      game is lost.
    function test_move_lastSecond_addsTheIncrement() public {
        defended();
        vm.warp(START_TIME + GAME_CLOCK);
        vm.expectRevert(
            abi.encodeWithSelector(IDispute.Dispute_ClockRuns.selector, game, START_TIME + GAME_CLOCK)
        );
        dispute.timeOut(game);
        next();
        vm.assertEq(dispute.gameAt(game).challengerClock, GAME_INCREMENT);
        vm.assertEq(dispute.gameAt(game).defenderClock, GAME_CLOCK);
        next();
        uint256 endsAt = START_TIME + GAME_CLOCK + GAME_INCREMENT;
        vm.warp(endsAt);
        next();
        vm.assertEq(dispute.gameAt(game).challengerClock, GAME_INCREMENT);

        next();
        vm.warp(endsAt + GAME_INCREMENT + 1);
        moveReverts(
            abi.encodeWithSelector(IDispute.Dispute_ClockRanOut.selector, game, endsAt + GAME_INCREMENT),
            answerOf(truth())
        );
        dispute.timeOut(game);
        vm.assertTrue(dispute.gameAt(game).status == GameStatus.DefenderWon);
    }

    function test_move_keepsRemainingTime() public {
        defended();
        vm.warp(START_TIME + GAME_CLOCK - GAME_INCREMENT - 1);
        next();
        vm.assertEq(dispute.gameAt(game).challengerClock, GAME_INCREMENT + 1);
        vm.warp(block.timestamp + 1);
        next();
        vm.assertEq(dispute.gameAt(game).defenderClock, GAME_CLOCK - 1);
    }

    function test_move_notYours_reverts() public {
        defended();
        Bisection memory answered = last;
        Answer memory answer = answerOf(truth());
        address[2] memory others = [LIAR, PUPPET];
        for (uint256 i; i < others.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IDispute.Dispute_NotYourMove.selector, CHALLENGER, others[i])
            );
            vm.prank(others[i]);
            dispute.move(game, answered, answer);
        }
        next();
        vm.expectRevert(abi.encodeWithSelector(IDispute.Dispute_NotYourMove.selector, LIAR, CHALLENGER));
        vm.prank(CHALLENGER);
        dispute.move(game, answered, answer);
    }

    function test_move_otherBisection_reverts() public {
        defended();
        Answer memory answer = answerOf(truth());
        bytes32 expected = dispute.hashOf(last);
        // An earlier bisection, and the last one with a changed position or claim.
        Bisection[4] memory others = [opened, last, last, last];
        others[1].first += 1;
        others[2].answered = 0;
        others[3].claims[0] = keccak256("another claim");
        for (uint256 i; i < others.length; ++i) {
            bytes32 found = dispute.hashOf(others[i]);
            vm.assertNotEq(found, expected);
            vm.expectRevert(abi.encodeWithSelector(IDispute.Dispute_WrongBisection.selector, expected, found));
            vm.prank(CHALLENGER);
            dispute.move(game, others[i], answer);
        }
    }

    function test_move_noSuchSegment_reverts() public {
        defended();
        Answer memory answer = answerOf(truth());
        uint64 count = uint64(last.claims.length);
        answer.segment = count;
        moveReverts(abi.encodeWithSelector(IDispute.Dispute_NoSuchSegment.selector, count, count), answer);
        answer.segment = type(uint64).max;
        moveReverts(
            abi.encodeWithSelector(IDispute.Dispute_NoSuchSegment.selector, type(uint64).max, count), answer
        );
    }

    function test_move_wrongClaimCount_reverts() public {
        atSingleBlock();
        next();
        Answer memory answer = answerOf(liar());
        uint256[4] memory counts = [uint256(0), 1, 31, 33];
        for (uint256 i; i < counts.length; ++i) {
            answer.claims = new bytes32[](counts[i]);
            moveReverts(
                abi.encodeWithSelector(IDispute.Dispute_WrongClaimCount.selector, 32, counts[i]), answer
            );
        }
    }

    function test_move_unknownGame_reverts() public {
        defended();
        Bisection memory answered = last;
        Answer memory answer = answerOf(truth());
        bytes memory reason = abi.encodeWithSelector(IDispute.Dispute_UnknownGame.selector, 1);
        vm.expectRevert(reason);
        dispute.move(1, answered, answer);
        vm.expectRevert(reason);
        dispute.prove(1, answered, 0, "", "");
        vm.expectRevert(reason);
        dispute.timeOut(1);
        vm.expectRevert(reason);
        dispute.returnBond(1);
        vm.expectRevert(reason);
        dispute.gameAt(1);
        reason = abi.encodeWithSelector(IDispute.Dispute_UnknownChallenge.selector, 1);
        vm.expectRevert(reason);
        dispute.resolve(1);
        vm.expectRevert(reason);
        dispute.challengeAt(1);
    }

    function test_move_inDecidedGame_reverts() public {
        defended();
        vm.warp(START_TIME + GAME_CLOCK + 1);
        dispute.timeOut(game);
        bytes memory reason =
            abi.encodeWithSelector(IDispute.Dispute_GameOver.selector, game, GameStatus.DefenderWon);
        Bisection memory answered = last;
        Answer memory answer = playOn(truth(), index, answered).answer;
        vm.expectRevert(reason);
        vm.prank(CHALLENGER);
        dispute.move(game, answered, answer);
        vm.expectRevert(reason);
        dispute.timeOut(game);
        vm.expectRevert(reason);
        dispute.returnBond(game);
    }

    // --- into the machine

    function test_move_singleBlock_entersTheMachine() public {
        atSingleBlock();
        bytes32 agreed = rootAt(truth(), index, 149);
        next();
        vm.assertTrue(last.phase == Phase.Machine);
        vm.assertEq(last.block, 149);
        vm.assertEq(last.agreedRoot, agreed);
        vm.assertEq(last.last, MACHINE_STEPS);
        vm.assertEq(last.claims.length, 32);
        vm.assertEq(dispute.gameAt(game).bisection, keccak256(abi.encode(last)));
    }

    function test_move_wrongFinalState_reverts() public {
        atSingleBlock();
        Answer memory answer = answerOf(truth());
        bytes32 claimed = answer.claims[31];
        answer.finalState[0] ^= 0x01;
        moveReverts(
            abi.encodeWithSelector(
                IDispute.Dispute_WrongState.selector, claimed, keccak256(answer.finalState)
            ),
            answer
        );
        // Bytes that hash to the claim but are not a state.
        answer.finalState = "short";
        answer.claims[31] = keccak256("short");
        moveReverts(
            abi.encodeWithSelector(
                IDispute.Dispute_WrongState.selector, answer.claims[31], answer.claims[31]
            ),
            answer
        );
        answer.claims = new bytes32[](0);
        moveReverts(
            abi.encodeWithSelector(
                IDispute.Dispute_WrongState.selector, bytes32(0), keccak256(answer.finalState)
            ),
            answer
        );
    }

    function test_move_machineNotHaltedWell_reverts() public {
        atSingleBlock();
        bytes memory reason = abi.encodeWithSelector(IDispute.Dispute_NotHaltedWell.selector);
        bytes32 root = keccak256("a root");
        moveReverts(reason, ending(fake.encode(0, root, false, 0, 5)));
        moveReverts(reason, ending(fake.encode(0, root, true, 1, 5)));
        moveReverts(reason, ending(fake.encode(0, root, true, 1 << 63, 5)));
        moveReverts(reason, ending(fake.encode(0, root, false, 1, 5)));
        bytes memory flagged = fake.encode(0, root, true, 0, 5);
        flagged[288] = 0x03;
        moveReverts(reason, ending(flagged));
    }

    function test_move_sameRootAfterTheBlock_reverts() public {
        atSingleBlock();
        bytes32 claimed = segmentAt(last, answerOf(truth()).segment).end;
        moveReverts(
            abi.encodeWithSelector(IDispute.Dispute_SameClaim.selector, claimed),
            ending(fake.encode(keccak256("another way"), claimed, true, 0, 5))
        );
    }

    function test_move_tooFewStates_reverts() public {
        atSingleBlock();
        Answer memory answer = answerOf(truth());
        bytes32[] memory claims = new bytes32[](1);
        claims[0] = answer.claims[31];
        answer.claims = claims;
        moveReverts(abi.encodeWithSelector(IDispute.Dispute_WrongClaimCount.selector, 32, 1), answer);
    }

    function test_move_finalStateInMachinePhase_reverts() public {
        atSingleBlock();
        next();
        Answer memory answer = answerOf(liar());
        answer.finalState = stateAt(liar(), index, 149, last.agreedRoot, MACHINE_STEPS);
        moveReverts(abi.encodeWithSelector(IDispute.Dispute_UnexpectedFinalState.selector), answer);
    }

    /// @dev The honest answer, with another final state of the machine.
    function ending(bytes memory finalState) private view returns (Answer memory answer) {
        answer = answerOf(truth());
        answer.finalState = finalState;
        answer.claims[31] = keccak256(finalState);
    }

    // --- prove

    function test_prove_winsTheGame() public {
        atSingleStep();
        Play memory play = playOn(truth(), index, last);
        bytes32 claimed = last.claims[play.answer.segment];
        bytes32 found = keccak256(stateAt(truth(), index, 899, last.agreedRoot, 4000));
        Bisection memory answered = last;
        vm.expectEmit(address(dispute));
        emit IDispute.StepProven(game, claimed, found);
        vm.expectEmit(address(dispute));
        emit IDispute.GameEnded(game, GameStatus.ChallengerWon);
        vm.expectEmit(address(dispute));
        emit IBonds.BondCredited(CHALLENGER, GAME_BOND - GAME_BOND / 2);
        vm.expectEmit(address(dispute));
        emit IDispute.BondBurned(GAME_BOND / 2);
        vm.prank(CHALLENGER);
        dispute.prove(game, answered, play.answer.segment, play.state, "");

        vm.assertTrue(dispute.gameAt(game).status == GameStatus.ChallengerWon);
        vm.assertEq(dispute.challengeAt(id).openGames, 0);
        vm.assertEq(address(dispute).balance, GAME_BOND + GAME_BOND - GAME_BOND / 2);
    }

    function test_prove_atTheLastSecond() public {
        atSingleStep();
        Play memory play = playOn(truth(), index, last);
        Bisection memory answered = last;
        vm.warp(START_TIME + GAME_CLOCK + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IDispute.Dispute_ClockRanOut.selector, game, START_TIME + GAME_CLOCK)
        );
        vm.prank(CHALLENGER);
        dispute.prove(game, answered, play.answer.segment, play.state, "");
        vm.warp(START_TIME + GAME_CLOCK);
        vm.prank(CHALLENGER);
        dispute.prove(game, answered, play.answer.segment, play.state, "");
    }

    function test_prove_notYours_reverts() public {
        atSingleStep();
        Bisection memory answered = last;
        vm.expectRevert(abi.encodeWithSelector(IDispute.Dispute_NotYourMove.selector, CHALLENGER, LIAR));
        vm.prank(LIAR);
        dispute.prove(game, answered, 0, "", "");
    }

    function test_prove_notSingleStep_reverts() public {
        defended();
        uint64 length = segmentAt(last, 0).last - segmentAt(last, 0).first;
        proveReverts(
            abi.encodeWithSelector(IDispute.Dispute_NotSingleStep.selector, Phase.Blocks, length), 0, ""
        );
        while (singleOf(last, truth()) == 0) next();
        // A single block is not a step.
        proveReverts(abi.encodeWithSelector(IDispute.Dispute_NotSingleStep.selector, Phase.Blocks, 1), 0, "");
        next();
        next();
        length = segmentAt(last, 0).last - segmentAt(last, 0).first;
        proveReverts(
            abi.encodeWithSelector(IDispute.Dispute_NotSingleStep.selector, Phase.Machine, length), 0, ""
        );
    }

    function test_prove_otherState_reverts() public {
        atSingleStep();
        Play memory play = playOn(truth(), index, last);
        bytes memory other = stateAt(truth(), index, 899, last.agreedRoot, 3998);
        proveReverts(
            abi.encodeWithSelector(
                IDispute.Dispute_WrongState.selector, keccak256(play.state), keccak256(other)
            ),
            play.answer.segment,
            other
        );
    }

    /// @dev A correct claim cannot be proven wrong, so a party that disputes it has no valid move.
    function test_prove_correctStep_reverts() public {
        atSingleStep();
        Play memory play = playOn(truth(), index, last);
        uint64 right = play.answer.segment - 1;
        bytes memory state = stateAt(truth(), index, 899, last.agreedRoot, 3998);
        proveReverts(
            abi.encodeWithSelector(IDispute.Dispute_StepIsRight.selector, last.claims[right]), right, state
        );
    }

    function test_prove_noSuchSegment_reverts() public {
        atSingleStep();
        uint64 count = uint64(last.claims.length);
        proveReverts(abi.encodeWithSelector(IDispute.Dispute_NoSuchSegment.selector, count, count), count, "");
    }

    function test_prove_stepReverts_reverts() public {
        atSingleStep();
        Play memory play = playOn(truth(), index, last);
        Bisection memory answered = last;
        vm.expectRevert(abi.encodeWithSelector(IRiscvStep.RiscvStep_WrongProofLength.selector, 0, 1));
        vm.prank(CHALLENGER);
        dispute.prove(game, answered, play.answer.segment, play.state, hex"00");
    }

    function test_move_singleStep_reverts() public {
        atSingleStep();
        Answer memory answer;
        answer.segment = playOn(truth(), index, last).answer.segment;
        moveReverts(abi.encodeWithSelector(IDispute.Dispute_SingleStep.selector), answer);
    }

    function proveReverts(bytes memory reason, uint64 segment, bytes memory state) private {
        Bisection memory answered = last;
        vm.expectRevert(reason);
        vm.prank(CHALLENGER);
        dispute.prove(game, answered, segment, state, "");
    }
}
