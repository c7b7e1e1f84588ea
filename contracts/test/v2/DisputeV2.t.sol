// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { GameStatus, IDisputeV2, Opening, StakeStatus } from "../../src/v2/interfaces/IDisputeV2.sol";
import { Status } from "../../src/v2/interfaces/IRollupV2.sol";
import { ITournament } from "../../src/v2/interfaces/ITournament.sol";
import { Bisection, BisectionLibV2 } from "../../src/v2/lib/BisectionLibV2.sol";
import { Path } from "../../src/v2/lib/HistoryLib.sol";
import { DisputeV2Fixture } from "./utils/DisputeV2Fixture.sol";

/// @title DisputeV2Test
/// @notice Accusations and games about single blocks.
contract DisputeV2Test is DisputeV2Fixture {
    uint64 private constant LIE_AT = 37;

    /// @dev The true child first, then a false one, with all reveals of both.
    function rightAndWrong(uint64 fromLeaf) private returns (uint256 right, uint256 wrong) {
        right = propose(HONEST, 0, truth());
        wrong = propose(LIAR, 0, lie(fromLeaf, "lie"));
        revealBoth(right, wrong);
    }

    /// @dev The false child first.
    function wrongAndRight(uint64 fromLeaf) private returns (uint256 wrong, uint256 right) {
        wrong = propose(LIAR, 0, lie(fromLeaf, "lie"));
        right = propose(HONEST, 0, truth());
        revealBoth(wrong, right);
    }

    // --- the way of a dispute

    function test_falseAccusation_fallsToAnHonestAnswer() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint256 game, Bisection memory first) = answer(HONEST, accusation, bisection, truth());
        playOut(game, first, beliefs[wrong], truth());

        vm.assertTrue(dispute.gameAt(game).status == GameStatus.DefenderWon);
        vm.assertTrue(dispute.stakeOf(idOf(right), LIAR).status == StakeStatus.Fallen);
        vm.warp(block.timestamp + CLOCK);
        dispute.settleMatch(right, wrong);
        assertStatus(wrong, Status.Rejected);
        assertStatus(right, Status.Standing);
    }

    function test_rightAccusation_standsAgainstEveryDefender() external {
        (uint256 wrong, uint256 right) = wrongAndRight(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(HONEST, wrong, right);
        (uint256 game, Bisection memory first) = answer(LIAR, accusation, bisection, beliefs[wrong]);
        playOut(game, first, truth(), beliefs[wrong]);
        vm.assertTrue(dispute.gameAt(game).status == GameStatus.AccuserWon);
        uint256 endsAt = dispute.accusationAt(accusation).accusedAt + CLOCK;
        vm.warp(endsAt);
        (uint256 other, Bisection memory second) = answer(PUPPET, accusation, bisection, beliefs[wrong]);

        vm.warp(endsAt + 1);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_GamesOpen.selector, HONEST, 1));
        dispute.settleAccusation(accusation);
        playOut(other, second, truth(), beliefs[wrong]);
        dispute.settleAccusation(accusation);
        assertStatus(wrong, Status.Rejected);
        assertStatus(right, Status.Standing);
    }

    function test_step_isProvenByTheAccuser() external {
        (uint256 wrong, uint256 right) = wrongAndRight(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(HONEST, wrong, right);
        (uint256 game, Bisection memory next) = answer(LIAR, accusation, bisection, beliefs[wrong]);
        for (uint256 i; i < 6; ++i) {
            next = play(game, next, i % 2 == 0 ? truth() : beliefs[wrong]);
        }
        vm.assertEq(uint256(next.steps), 32);
        vm.expectEmit(address(dispute));
        emit IDisputeV2.StepProven(
            game,
            keccak256(stateAt(beliefs[wrong], wrong, LIE_AT, next.before, 3000)),
            keccak256(stateAt(truth(), wrong, LIE_AT, next.before, 3000))
        );
        play(game, next, truth());
        vm.assertTrue(dispute.gameAt(game).status == GameStatus.AccuserWon);
    }

    function test_lie_isFound_whereverItBegins() external {
        uint64[6] memory leaves = [uint64(0), 1, 15, 16, 64, 79];
        for (uint256 i; i < leaves.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            (uint256 wrong, uint256 right) = wrongAndRight(leaves[i]);
            (uint256 accusation, Bisection memory bisection) = accuse(HONEST, wrong, right);
            vm.assertEq(uint256(bisection.leaf), leaves[i]);
            (uint256 game, Bisection memory first) = answer(LIAR, accusation, bisection, beliefs[wrong]);
            playOut(game, first, truth(), beliefs[wrong]);
            vm.assertTrue(dispute.gameAt(game).status == GameStatus.AccuserWon);
            vm.revertToState(snapshot);
        }
    }

    function test_programThatFails_leavesTheRootBefore() external {
        run.fail(inbox.acc(3), LIE_AT % BLOCKS, 101);
        // The true child repeats the root; the liar claims that the block came to something.
        (uint256 wrong, uint256 right) = wrongAndRight(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(HONEST, wrong, right);
        (uint256 game, Bisection memory first) = answer(LIAR, accusation, bisection, beliefs[wrong]);
        playOut(game, first, truth(), beliefs[wrong]);
        vm.assertTrue(dispute.gameAt(game).status == GameStatus.AccuserWon);
    }

    // --- stakes

    function test_accuse_takesTheStakeOnce() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        uint256 other = propose(PUPPET, 0, lie(LIE_AT + 9, "other"));
        revealBoth(right, other);
        vm.assertEq(due(right, LIAR), STAKE);
        accuse(LIAR, right, wrong);
        vm.assertEq(due(right, LIAR), 0);
        accuse(LIAR, right, other);
        vm.assertEq(address(dispute).balance, STAKE);
    }

    function test_accuse_withAnotherStake_reverts() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        Path memory path = leafPath(right, wrong);
        Opening memory opening = openingOf(right, wrong);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_WrongStake.selector, STAKE, STAKE - 1));
        vm.prank(LIAR);
        dispute.accuse{ value: STAKE - 1 }(right, wrong, path, opening);
    }

    function test_lostStake_isHalfBurned() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint256 game,) = answer(HONEST, accusation, bisection, truth());
        vm.warp(block.timestamp + CLOCK + 1);
        vm.prank(ANYONE);
        dispute.timeOutGame(game);
        vm.assertEq(dispute.bondCredit(HONEST), STAKE / 4);
        vm.assertEq(dispute.bondCredit(ANYONE), STAKE / 4);
        // The honest stake and both rewards are left; the rest is burned, what does not divide included.
        vm.assertEq(address(dispute).balance, STAKE + 2 * (STAKE / 4));
    }

    function test_fallenAccount_neitherAccusesNorAnswers() external {
        (uint256 wrong, uint256 right) = wrongAndRight(LIE_AT);
        uint256 other = propose(PUPPET, 0, lie(LIE_AT + 9, "other"));
        revealBoth(right, other);
        (uint256 accusation, Bisection memory bisection) = accuse(HONEST, wrong, right);
        (uint256 game, Bisection memory first) = answer(LIAR, accusation, bisection, beliefs[wrong]);
        playOut(game, first, truth(), beliefs[wrong]);
        bytes memory fallen =
            abi.encodeWithSelector(IDisputeV2.Dispute_StakeNotStanding.selector, LIAR, StakeStatus.Fallen);
        Path memory path = leafPath(right, other);
        Opening memory opening = openingOf(right, other);
        vm.expectRevert(fallen);
        vm.prank(LIAR);
        dispute.accuse(right, other, path, opening);

        (accusation, bisection) = accuse(PUPPET, right, other);
        (uint64 segment, bytes32[] memory claims,) = answerTo(truth(), right, bisection);
        vm.expectRevert(fallen);
        vm.prank(LIAR);
        dispute.answer(accusation, bisection, segment, claims);
    }

    // --- one stake, one game with each accuser

    function test_account_answersAnAccuserOnce_whateverTheMatch() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        uint256 other = propose(PUPPET, 0, lie(LIE_AT + 9, "other"));
        revealBoth(right, other);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint256 second, Bisection memory about) = accuse(LIAR, right, other);
        (uint256 game, Bisection memory first) = answer(HONEST, accusation, bisection, truth());
        (uint64 segment, bytes32[] memory claims,) = answerTo(truth(), right, about);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_AlreadyMet.selector, LIAR, HONEST));
        vm.prank(HONEST);
        dispute.answer(second, about, segment, claims);

        // Neither accusation settles while the one game is open, though the time to answer is over.
        vm.warp(dispute.accusationAt(second).accusedAt + CLOCK);
        first = play(game, first, beliefs[wrong]);
        first = play(game, first, truth());
        vm.warp(dispute.accusationAt(second).accusedAt + CLOCK + 1);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_GamesOpen.selector, LIAR, 1));
        dispute.settleAccusation(second);

        // Once the accuser has fallen, neither counts, also before anybody strikes it.
        playOut(game, first, beliefs[wrong], truth());
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_AccusationNotStanding.selector, second));
        dispute.settleAccusation(second);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_AccusationsStand.selector, 1));
        dispute.settleMatch(right, other);
        vm.prank(ANYONE);
        dispute.strike(second);
        dispute.settleMatch(right, other);
        dispute.settleMatch(right, wrong);
        assertStatus(right, Status.Standing);
        // Who revealed and who struck the last accusation are paid.
        vm.assertEq(rollup.bondCredit(ANYONE), 4 * (BOND / 4));
    }

    function test_accuser_doesNotAnswerItself() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint64 segment, bytes32[] memory claims,) = answerTo(truth(), right, bisection);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_AlreadyMet.selector, LIAR, LIAR));
        vm.prank(LIAR);
        dispute.answer(accusation, bisection, segment, claims);
    }

    function test_game_goesOn_whenItsMatchIsDecided() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint256 game, Bisection memory first) = answer(HONEST, accusation, bisection, truth());
        // Another rival puts the liar's commitment out, which would rescue the stake.
        uint256 third = propose(PUPPET, 0, lie(LIE_AT + 9, "third"));
        revealBoth(wrong, third);
        (uint256 second,) = accuse(PUPPET, wrong, third);
        vm.warp(dispute.accusationAt(second).accusedAt + CLOCK - 1);
        first = play(game, first, beliefs[wrong]);
        vm.warp(dispute.accusationAt(second).accusedAt + CLOCK + 1);
        dispute.settleAccusation(second);
        assertStatus(wrong, Status.Rejected);

        uint256 id = idOf(right);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_TournamentOpen.selector, id));
        dispute.release(id, LIAR);
        playOut(game, first, beliefs[wrong], truth());
        vm.assertTrue(dispute.stakeOf(id, LIAR).status == StakeStatus.Fallen);
        vm.assertTrue(dispute.stakeOf(id, HONEST).status == StakeStatus.Standing);
    }

    function test_close_endsTheGamesOfAFallenAccount() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint256 game, Bisection memory first) = answer(HONEST, accusation, bisection, truth());
        (uint256 other,) = answer(PUPPET, accusation, bisection, truth());
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_NothingToClose.selector, other));
        dispute.close(other);
        playOut(game, first, beliefs[wrong], truth());
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_GameOver.selector, other));
        dispute.timeOutGame(other);
        dispute.close(other);
        vm.assertTrue(dispute.gameAt(other).status == GameStatus.Closed);
        vm.assertEq(uint256(dispute.stakeOf(idOf(right), PUPPET).openGames), 0);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_NothingToClose.selector, other));
        dispute.close(other);
    }

    // --- the bounds of times

    function test_accuse_untilTheClockOfYIsOver() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        uint256 endsAt = block.timestamp + CLOCK;
        Path memory path = leafPath(right, wrong);
        Opening memory opening = openingOf(right, wrong);
        vm.warp(endsAt + 1);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_AccusationsOver.selector, endsAt));
        vm.prank(LIAR);
        dispute.accuse{ value: STAKE }(right, wrong, path, opening);
        vm.warp(endsAt);
        (uint256 accusation,) = accuse(LIAR, right, wrong);
        vm.assertEq(uint256(dispute.accusationAt(accusation).clock), INCREMENT);
    }

    function test_answer_untilTheClockOfXIsOver() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        uint256 endsAt = block.timestamp + CLOCK;
        (uint64 segment, bytes32[] memory claims,) = answerTo(truth(), right, bisection);
        vm.warp(endsAt);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_AnswersOpen.selector, accusation, endsAt));
        dispute.settleAccusation(accusation);
        vm.warp(endsAt + 1);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_AnswersOver.selector, accusation, endsAt));
        vm.prank(HONEST);
        dispute.answer{ value: STAKE }(accusation, bisection, segment, claims);
        // The defender's clock has run since the accusation, and is never below the increment.
        vm.warp(endsAt - 1);
        (uint256 game,) = answer(PUPPET, accusation, bisection, truth());
        vm.assertEq(uint256(dispute.gameAt(game).defenderClock), INCREMENT);
        vm.warp(endsAt);
        (game,) = answer(HONEST, accusation, bisection, truth());
        vm.assertEq(uint256(dispute.gameAt(game).defenderClock), INCREMENT);
        vm.assertEq(uint256(dispute.gameAt(game).accuserClock), CLOCK);
    }

    function test_move_takesTimeFromTheMoversClock() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint256 game, Bisection memory next) = answer(HONEST, accusation, bisection, truth());
        vm.warp(block.timestamp + 1 hours);
        next = play(game, next, beliefs[wrong]);
        vm.assertEq(uint256(dispute.gameAt(game).accuserClock), CLOCK - 1 hours);
        vm.warp(block.timestamp + CLOCK);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_ClockRuns.selector, game, block.timestamp));
        dispute.timeOutGame(game);
        next = play(game, next, truth());
        vm.assertEq(uint256(dispute.gameAt(game).defenderClock), INCREMENT);

        uint256 endsAt = block.timestamp + CLOCK - 1 hours;
        vm.warp(endsAt + 1);
        (uint64 segment, bytes32[] memory claims,) = answerTo(beliefs[wrong], right, next);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_ClockRanOut.selector, game, endsAt));
        vm.prank(LIAR);
        dispute.move(game, next, segment, claims);
        dispute.timeOutGame(game);
        vm.assertTrue(dispute.gameAt(game).status == GameStatus.DefenderWon);
    }

    function test_settleMatch_afterTheTimeToAccuse() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        uint256 endsAt = block.timestamp + CLOCK;
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_UnknownMatch.selector, right, wrong));
        dispute.settleMatch(right, wrong);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint256 game, Bisection memory first) = answer(HONEST, accusation, bisection, truth());
        playOutAtOnce(game, first, wrong);
        vm.warp(endsAt);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_AccusationsOpen.selector, endsAt));
        dispute.settleMatch(right, wrong);
        vm.warp(endsAt + 1);
        dispute.settleMatch(right, wrong);
        assertStatus(wrong, Status.Rejected);
    }

    /// @dev The accuser claims what gives the game away: the defender wins when its increment is over.
    function playOutAtOnce(uint256 game, Bisection memory next, uint256 wrong) private {
        for (uint256 i; i < 6; ++i) {
            next = play(game, next, i % 2 == 0 ? beliefs[wrong] : truth());
        }
        vm.warp(block.timestamp + dispute.gameAt(game).accuserClock + 1);
        dispute.timeOutGame(game);
        vm.warp(block.timestamp - dispute.gameAt(game).accuserClock - 1);
    }

    // --- what is refused

    function test_accuse_withoutAllReveals_reverts() external {
        uint256 right = propose(HONEST, 0, truth());
        uint256 wrong = propose(LIAR, 0, lie(LIE_AT, "lie"));
        revealSide(ANYONE, right, wrong, right);
        revealAt(ANYONE, right, wrong, wrong, 0);
        Path memory path = leafPath(right, wrong);
        Opening memory opening = openingOf(right, wrong);
        bytes memory reason = abi.encodeWithSelector(IDisputeV2.Dispute_NotRevealed.selector, right, wrong);
        vm.expectRevert(reason);
        vm.prank(LIAR);
        dispute.accuse{ value: STAKE }(right, wrong, path, opening);
        // All reveals down to depth 6, but the path ends there.
        path = pathAt(right, wrong, 6);
        revealSide(ANYONE, right, wrong, wrong);
        vm.expectRevert(reason);
        vm.prank(LIAR);
        dispute.accuse{ value: STAKE }(right, wrong, path, opening);
    }

    function test_accuse_twiceInAMatch_reverts() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        accuse(LIAR, right, wrong);
        Path memory path = leafPath(right, wrong);
        Opening memory opening = openingOf(right, wrong);
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeV2.Dispute_AlreadyAccused.selector, right, wrong, LIAR)
        );
        vm.prank(LIAR);
        dispute.accuse(right, wrong, path, opening);
    }

    function test_accuse_withTheSidesSwapped_reverts() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        Path memory path = leafPath(wrong, right);
        Opening memory opening = openingOf(wrong, right);
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_NotRivals.selector, wrong, right));
        vm.prank(HONEST);
        dispute.accuse{ value: STAKE }(wrong, right, path, opening);
    }

    function test_accuse_withAnOpeningThatDoesNotFit_reverts() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        Path memory path = leafPath(right, wrong);
        bytes32 root = path.nodeY;

        Opening memory opening = openingOf(right, wrong);
        opening.before = keccak256("another");
        accuseReverts(right, wrong, opening);

        opening = openingOf(right, wrong);
        opening.beforeSiblings[3] = 0;
        accuseReverts(right, wrong, opening);

        opening = openingOf(right, wrong);
        opening.claims = new bytes32[](31);
        accuseReverts(right, wrong, opening);

        opening = openingOf(right, wrong);
        opening.claims[31] = keccak256("another");
        accuseReverts(right, wrong, opening);

        // Not the root that y claims, which an exit code or a machine that still runs changes, too.
        bytes[4] memory states = [
            run.encode(0, keccak256("another"), true, 0, 5000),
            run.encode(0, root, true, 1, 5000),
            run.encode(0, root, false, 0, 5000),
            // Not canonical: it runs and has an exit code.
            run.encode(0, root, false, 1, 5000)
        ];
        for (uint256 i; i < states.length; ++i) {
            opening = openingOf(right, wrong);
            opening.finalState = states[i];
            opening.claims[31] = keccak256(states[i]);
            accuseReverts(right, wrong, opening);
        }

        opening = openingOf(right, wrong);
        opening.finalState = abi.encodePacked(opening.finalState, hex"00");
        opening.claims[31] = keccak256(opening.finalState);
        accuseReverts(right, wrong, opening);
    }

    function accuseReverts(uint256 x, uint256 y, Opening memory opening) private {
        Path memory path = leafPath(x, y);
        vm.expectRevert();
        vm.prank(LIAR);
        dispute.accuse{ value: STAKE }(x, y, path, opening);
    }

    function test_accuse_aboutBlockZero_beginsAtTheParentsRoot() external {
        (uint256 wrong, uint256 right) = wrongAndRight(0);
        Opening memory opening = openingOf(wrong, right);
        vm.assertEq(opening.before, GENESIS_ROOT);
        opening.before = keccak256("another");
        Path memory path = leafPath(wrong, right);
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeV2.Dispute_WrongRootBefore.selector, GENESIS_ROOT, opening.before)
        );
        vm.prank(HONEST);
        dispute.accuse{ value: STAKE }(wrong, right, path, opening);
        accuse(HONEST, wrong, right);
    }

    function test_accuse_pastTheBlocks_reverts() external {
        uint256 right = propose(HONEST, 0, truth());
        uint256 wrong = propose(LIAR, 0, lie(85, "padding"));
        revealBoth(right, wrong);
        Path memory path = leafPath(right, wrong);
        vm.assertEq(path.index, 85);
        Opening memory opening;
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_PastBlocks.selector, 85, 80));
        vm.prank(LIAR);
        dispute.accuse{ value: STAKE }(right, wrong, path, opening);
    }

    function test_move_byAnotherAccount_reverts() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint256 game, Bisection memory next) = answer(HONEST, accusation, bisection, truth());
        (uint64 segment, bytes32[] memory claims,) = answerTo(beliefs[wrong], right, next);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_NotYourMove.selector, LIAR, HONEST));
        vm.prank(HONEST);
        dispute.move(game, next, segment, claims);
    }

    function test_move_thatDoesNotAnswer_reverts() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint256 game, Bisection memory next) = answer(HONEST, accusation, bisection, truth());
        (uint64 segment, bytes32[] memory claims,) = answerTo(beliefs[wrong], right, next);

        // Another bisection than the newest.
        vm.expectRevert(
            abi.encodeWithSelector(
                BisectionLibV2.Bisection_Wrong.selector,
                dispute.gameAt(game).bisection,
                dispute.hashOf(bisection)
            )
        );
        vm.prank(LIAR);
        dispute.move(game, bisection, segment, claims);

        vm.expectRevert(abi.encodeWithSelector(BisectionLibV2.Bisection_NoSuchSegment.selector, 32));
        vm.prank(LIAR);
        dispute.move(game, next, 32, claims);

        claims[31] = next.claims[segment];
        vm.expectRevert(abi.encodeWithSelector(BisectionLibV2.Bisection_SameClaim.selector, claims[31]));
        vm.prank(LIAR);
        dispute.move(game, next, segment, claims);

        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_NotSingleStep.selector, next.steps / 32));
        vm.prank(LIAR);
        dispute.prove(game, next, segment, "", "");
    }

    function test_prove_aStepThatIsRight_reverts() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint256 game, Bisection memory next) = answer(HONEST, accusation, bisection, truth());
        for (uint256 i; i < 6; ++i) {
            next = play(game, next, i % 2 == 0 ? beliefs[wrong] : truth());
        }
        (uint64 segment,, uint64 first) = answerTo(beliefs[wrong], right, next);
        bytes memory state = stateAt(beliefs[wrong], right, next.leaf, next.before, first);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_StepIsRight.selector, next.claims[segment]));
        vm.prank(LIAR);
        dispute.prove(game, next, segment, state, "");

        bytes32[] memory claims = new bytes32[](32);
        vm.expectRevert(BisectionLibV2.Bisection_SingleStep.selector);
        vm.prank(LIAR);
        dispute.move(game, next, segment, claims);
    }

    function test_strike_whileTheStakeStands_reverts() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        bytes memory nothing = abi.encodeWithSelector(IDisputeV2.Dispute_NothingToStrike.selector, accusation);
        vm.expectRevert(nothing);
        dispute.strike(accusation);
        (uint256 game, Bisection memory first) = answer(HONEST, accusation, bisection, truth());
        playOut(game, first, beliefs[wrong], truth());
        vm.expectRevert(nothing);
        dispute.strike(accusation);
    }

    function test_unknownNumbers_revert() external {
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_UnknownGame.selector, 0));
        dispute.timeOutGame(0);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_UnknownAccusation.selector, 0));
        dispute.settleAccusation(0);
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeV2.Dispute_StakeNotStanding.selector, HONEST, StakeStatus.None)
        );
        dispute.release(0, HONEST);
    }

    // --- the end

    function test_release_onceTheTournamentIsDecided() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint256 game, Bisection memory first) = answer(HONEST, accusation, bisection, truth());
        (uint256 other,) = answer(PUPPET, accusation, bisection, truth());
        playOut(game, first, beliefs[wrong], truth());
        vm.warp(START_TIME + INTERVAL + 1 + WINDOW);
        dispute.settleMatch(right, wrong);
        uint256 id = idOf(right);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_TournamentOpen.selector, id));
        dispute.release(id, HONEST);
        tournament.promote(right);
        dispute.release(id, HONEST);
        vm.assertEq(dispute.bondCredit(HONEST), STAKE + 2 * (STAKE / 4) - STAKE / 4);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_GamesOpen.selector, PUPPET, 1));
        dispute.release(id, PUPPET);
        dispute.close(other);
        dispute.release(id, PUPPET);
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeV2.Dispute_StakeNotStanding.selector, LIAR, StakeStatus.Fallen)
        );
        dispute.release(id, LIAR);
        rollup.finalize(right);
        assertStatus(right, Status.Final);
    }

    function test_escape_returnsStandingStakesAtOnce() external {
        (uint256 right, uint256 wrong) = rightAndWrong(LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint256 game, Bisection memory next) = answer(HONEST, accusation, bisection, truth());
        vm.prank(ADMIN);
        programs.announce(keccak256("another program"));
        vm.warp(START_TIME + ESCAPE_AFTER);
        programs.escape();
        assertStatus(right, Status.Void);
        uint256 id = idOf(right);
        dispute.release(id, HONEST);
        dispute.release(id, LIAR);
        vm.assertEq(dispute.bondCredit(HONEST), STAKE);
        vm.assertEq(dispute.bondCredit(LIAR), STAKE);
        (uint64 segment, bytes32[] memory claims,) = answerTo(beliefs[wrong], right, next);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_GameOver.selector, game));
        vm.prank(LIAR);
        dispute.move(game, next, segment, claims);
        rollup.voidOutput(right);
        rollup.voidOutput(wrong);
        vm.assertEq(rollup.bondCredit(HONEST), BOND);
    }
}
