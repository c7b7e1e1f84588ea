// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Answer, Bisection, ChallengeStatus, GameStatus, IDispute } from "../src/interfaces/IDispute.sol";
import { IBonds } from "../src/interfaces/IBonds.sol";
import { IRollup, Status } from "../src/interfaces/IRollup.sol";
import { Belief, DisputeFixture } from "./utils/DisputeFixture.sol";

/// @notice Whole games, several at once, and the balances at the end.
contract DisputeGamesTest is DisputeFixture {
    uint256 private constant WON = GAME_BOND - GAME_BOND / 2;
    uint256 private constant BURNED = GAME_BOND / 2;
    uint256 private constant OUTPUT_WON = PROPOSER_BOND - PROPOSER_BOND / 2;

    /// @dev Plays until one side has won. A side without a valid move lets its clock run out.
    function play(uint256 game, Bisection memory last, Belief memory challenger, Belief memory defender)
        private
    {
        while (isOpen(game)) {
            bool isChallenger = dispute.gameAt(game).status == GameStatus.ChallengerToMove;
            Belief memory belief = isChallenger ? challenger : defender;
            if (cannotProve(game, last, belief)) timeOut(game);
            else last = move(game, last, belief);
        }
    }

    /// @dev Whether a liar must prove a step, which is impossible.
    function cannotProve(uint256 game, Bisection memory last, Belief memory belief)
        private
        view
        returns (bool)
    {
        if (belief.fromBlock == 0) return false;
        uint256 index = dispute.challengeAt(dispute.gameAt(game).challenge).output;
        return playOn(belief, index, last).proves;
    }

    function timeOut(uint256 game) private {
        vm.warp(block.timestamp + GAME_CLOCK + 1);
        dispute.timeOut(game);
    }

    function resolve(uint256 id) private {
        uint256 endsAt = dispute.challengeAt(id).startedAt + GAME_CLOCK;
        if (block.timestamp <= endsAt) vm.warp(endsAt + 1);
        dispute.resolve(id);
    }

    function isStatus(uint256 index, Status status) private view {
        vm.assertTrue(rollup.output(index).status == status);
    }

    function isDecided(uint256 id, ChallengeStatus status) private view {
        vm.assertTrue(dispute.challengeAt(id).status == status);
    }

    // --- honest against lying

    function test_challenge_undefended_rejectsTheOutput() public {
        uint256 index = proposeWrong(0, 3);
        (uint256 id,) = open(CHALLENGER, index, truth());
        vm.warp(START_TIME + GAME_CLOCK);
        vm.expectRevert(
            abi.encodeWithSelector(IDispute.Dispute_DefenceOpen.selector, id, START_TIME + GAME_CLOCK)
        );
        dispute.resolve(id);
        vm.warp(START_TIME + GAME_CLOCK + 1);
        vm.expectEmit(address(dispute));
        emit IDispute.ChallengeEnded(id, ChallengeStatus.Won);
        vm.expectEmit(address(dispute));
        emit IBonds.BondCredited(CHALLENGER, GAME_BOND);
        vm.expectEmit(address(rollup));
        emit IRollup.OutputRejected(index, rollup.output(index).claim);
        vm.expectEmit(address(dispute));
        emit IBonds.BondCredited(CHALLENGER, OUTPUT_WON);
        vm.expectEmit(address(dispute));
        emit IDispute.BondBurned(PROPOSER_BOND / 2);
        dispute.resolve(id);

        isStatus(index, Status.Rejected);
        isDecided(id, ChallengeStatus.Won);
        vm.assertEq(dispute.bondCredit(CHALLENGER), GAME_BOND + OUTPUT_WON);
        vm.assertEq(address(dispute).balance, GAME_BOND + OUTPUT_WON);
        vm.assertEq(address(rollup).balance, 0);
        vm.expectRevert(abi.encodeWithSelector(IDispute.Dispute_ChallengeOver.selector, id));
        dispute.resolve(id);
    }

    /// @dev An honest challenger beats every defender of a wrong output, wherever the defender's lie begins.
    /// forge-config: default.fuzz.runs = 48
    function testFuzz_wrongOutput_isRejected(uint256 entries, uint256 fromBlock, uint256 fromStep) public {
        uint256 index = proposeWrong(0, bound64(entries, 1, ENTRIES_MAX));
        Belief memory liar =
            trusting(bound64(fromBlock, 1, lastPosition(index)), bound64(fromStep, 2, MACHINE_STEPS));
        wrongOutputIsRejected(index, liar);
    }

    function test_wrongOutput_isRejected_whereverTheLieBegins() public {
        uint64 halted = fake.HALTED_AT();
        uint64[7] memory steps = [2, 31, halted - 1, halted, halted + 1, MACHINE_STEPS - 1, MACHINE_STEPS];
        for (uint256 i; i < steps.length; ++i) {
            uint256 index = proposeWrong(0, 1);
            wrongOutputIsRejected(index, trusting(i % 2 == 0 ? 1 : blocksPerEntry(), steps[i]));
        }
    }

    function wrongOutputIsRejected(uint256 index, Belief memory liar) private {
        uint256 credit = dispute.bondCredit(CHALLENGER);
        (uint256 id, Bisection memory opened) = open(CHALLENGER, index, truth());
        (uint256 game, Bisection memory last) = defend(LIAR, id, opened, liar);
        play(game, last, truth(), liar);
        vm.assertTrue(dispute.gameAt(game).status == GameStatus.ChallengerWon);
        resolve(id);
        isStatus(index, Status.Rejected);
        credit += GAME_BOND + WON + OUTPUT_WON;
        vm.assertEq(dispute.bondCredit(CHALLENGER), credit);
        vm.assertEq(dispute.bondCredit(LIAR), 0);
        vm.assertEq(address(dispute).balance, credit);
    }

    /// @dev An honest defender beats every challenger of a correct output, wherever the challenger's lie
    ///      begins.
    /// forge-config: default.fuzz.runs = 48
    function testFuzz_correctOutput_isUpheld(uint256 entries, uint256 fromBlock, uint256 fromStep) public {
        uint256 index = proposeRight(0, bound64(entries, 1, ENTRIES_MAX));
        Belief memory liar =
            doubting(bound64(fromBlock, 1, lastPosition(index)), bound64(fromStep, 2, MACHINE_STEPS));
        (uint256 id, Bisection memory opened) = open(LIAR, index, liar);
        (uint256 game, Bisection memory last) = defend(DEFENDER, id, opened, truth());
        play(game, last, liar, truth());
        vm.assertTrue(dispute.gameAt(game).status == GameStatus.DefenderWon);
        isDecided(id, ChallengeStatus.Failed);
        vm.assertEq(dispute.challengeAt(id).openGames, 0);
        isStatus(index, Status.Proposed);
        vm.assertEq(dispute.bondCredit(DEFENDER), GAME_BOND + WON);
        vm.assertEq(address(dispute).balance, GAME_BOND + WON);
        vm.warp(START_TIME + 100 * WINDOW);
        rollup.finalize(index);
    }

    /// @dev A player whose claims are random and contradict each other loses.
    /// forge-config: default.fuzz.runs = 48
    function testFuzz_garbage_loses(uint256 entries, bytes32 seed) public {
        uint256 index = proposeWrong(0, bound64(entries, 1, ENTRIES_MAX));
        (uint256 id, Bisection memory last) = open(CHALLENGER, index, truth());
        (Answer memory garbage, Bisection memory made) = garbageOn(last, seed);
        vm.prank(LIAR);
        uint256 game = dispute.defend{ value: GAME_BOND }(id, last, garbage);
        while (isOpen(game)) {
            last = move(game, made, truth());
            if (!isOpen(game)) break;
            seed = keccak256(abi.encode(seed));
            (garbage, made) = garbageOn(last, seed);
            if (garbage.claims.length == 0) {
                timeOut(game);
            } else {
                vm.prank(LIAR);
                dispute.move(game, last, garbage);
            }
        }
        vm.assertTrue(dispute.gameAt(game).status == GameStatus.ChallengerWon);
        resolve(id);
        isStatus(index, Status.Rejected);
    }

    /// @dev A side that stops moving loses, and a dispute takes at most disputeSecondsMax.
    function test_lastSecondMoves_endWithinDisputeSecondsMax() public {
        uint256 index = proposeWrong(0, 10);
        Belief memory liar = trusting(700, 4000);
        (uint256 id, Bisection memory last) = open(CHALLENGER, index, truth());
        vm.warp(START_TIME + GAME_CLOCK);
        uint256 game;
        (game, last) = defend(LIAR, id, last, liar);
        uint256 moves;
        while (isOpen(game)) {
            bool isHonest = mover(game) == CHALLENGER;
            uint24 left = isHonest ? dispute.gameAt(game).challengerClock : dispute.gameAt(game).defenderClock;
            vm.warp(dispute.gameAt(game).movedAt + left);
            Belief memory belief = isHonest ? truth() : liar;
            if (cannotProve(game, last, belief)) {
                vm.warp(block.timestamp + 1);
                dispute.timeOut(game);
            } else {
                last = move(game, last, belief);
                ++moves;
            }
        }
        // With the opening and the first answer: 2 bisections of blocks and 9 of steps.
        vm.assertEq(moves, 9);
        dispute.resolve(id);
        isStatus(index, Status.Rejected);
        vm.assertLe(block.timestamp, START_TIME + dispute.disputeSecondsMax());
        vm.assertGt(block.timestamp, START_TIME + 2 * uint256(GAME_CLOCK) + 9 * uint256(GAME_INCREMENT));
    }

    // --- many at once

    function test_challenge_mustBeatEveryDefender() public {
        uint256 index = proposeWrong(0, 3);
        (uint256 id, Bisection memory opened) = open(CHALLENGER, index, truth());
        uint256[3] memory games;
        Bisection[3] memory last;
        for (uint64 i; i < 3; ++i) {
            (games[i], last[i]) = defend(i == 1 ? PUPPET : LIAR, id, opened, trusting(100 + i, 2 + i));
        }
        vm.assertEq(dispute.challengeAt(id).openGames, 3);
        vm.warp(START_TIME + GAME_CLOCK + 1);
        vm.expectRevert(abi.encodeWithSelector(IDispute.Dispute_GamesOpen.selector, id, 3));
        dispute.resolve(id);
        vm.warp(START_TIME + 1);
        for (uint64 i; i < 3; ++i) {
            play(games[i], last[i], truth(), trusting(100 + i, 2 + i));
            if (i == 2) break;
            vm.expectRevert(abi.encodeWithSelector(IDispute.Dispute_GamesOpen.selector, id, 2 - i));
            dispute.resolve(id);
            vm.warp(START_TIME + 1);
        }
        dispute.resolve(id);
        isStatus(index, Status.Rejected);
        vm.assertEq(dispute.bondCredit(CHALLENGER), GAME_BOND + 3 * WON + OUTPUT_WON);
        vm.assertEq(address(dispute).balance, dispute.bondCredit(CHALLENGER));
    }

    /// @dev A defender who loses on purpose does not harm an output that another defender defends honestly.
    function test_puppetDefender_doesNotHelpTheChallenger() public {
        uint256 index = proposeRight(0, 3);
        Belief memory liar = doubting(7, 77);
        (uint256 id, Bisection memory opened) = open(LIAR, index, liar);
        (uint256 puppets, Bisection memory last) = defend(PUPPET, id, opened, truth());
        (uint256 game, Bisection memory honest) = defend(DEFENDER, id, opened, truth());
        move(puppets, last, liar);
        honest = move(game, honest, liar);
        honest = move(game, honest, truth());
        vm.warp(START_TIME + GAME_CLOCK + 1);
        dispute.timeOut(puppets);
        vm.assertTrue(dispute.gameAt(puppets).status == GameStatus.ChallengerWon);
        vm.expectRevert(abi.encodeWithSelector(IDispute.Dispute_GamesOpen.selector, id, 1));
        dispute.resolve(id);
        dispute.timeOut(game);
        isDecided(id, ChallengeStatus.Failed);
        isStatus(index, Status.Proposed);
        vm.assertEq(dispute.bondCredit(DEFENDER), GAME_BOND + WON);
        vm.assertEq(dispute.bondCredit(LIAR), WON);
        vm.assertEq(address(dispute).balance, GAME_BOND + 2 * WON);
    }

    /// @dev A challenger who loses on purpose does not protect the output from an honest challenger.
    function test_puppetChallenger_doesNotHelpTheOutput() public {
        uint256 index = proposeWrong(0, 3);
        (uint256 id, Bisection memory opened) = open(CHALLENGER, index, truth());
        for (uint256 i; i < 3; ++i) {
            (uint256 lost, Bisection memory last) = open(PUPPET, index, truth());
            (uint256 game,) = defend(LIAR, lost, last, trusting(5, 5));
            timeOutNow(game);
            isDecided(lost, ChallengeStatus.Failed);
            isStatus(index, Status.Challenged);
            vm.assertEq(rollup.output(index).openChallenges, 1);
        }
        (uint256 played, Bisection memory next) = defend(LIAR, id, opened, trusting(9, 9));
        play(played, next, truth(), trusting(9, 9));
        resolve(id);
        isStatus(index, Status.Rejected);
        vm.assertEq(dispute.bondCredit(CHALLENGER), GAME_BOND + WON + OUTPUT_WON);
        vm.assertEq(dispute.bondCredit(LIAR), 3 * (GAME_BOND + WON));
    }

    /// @dev The challenge window is still open after a failed challenge.
    function test_challenge_afterFailedChallenge() public {
        uint256 index = proposeWrong(0, 3);
        (uint256 lost, Bisection memory last) = open(PUPPET, index, truth());
        (uint256 game,) = defend(LIAR, lost, last, trusting(5, 5));
        timeOut(game);
        isStatus(index, Status.Proposed);
        (uint256 id,) = open(CHALLENGER, index, truth());
        isStatus(index, Status.Challenged);
        resolve(id);
        isStatus(index, Status.Rejected);
    }

    /// @dev Once an output is rejected, its other challenges and games are moot, and their bonds are
    ///      returned.
    function test_resolve_otherChallenges_areMoot() public {
        uint256 index = proposeWrong(0, 3);
        (uint256 won,) = open(CHALLENGER, index, truth());
        (uint256 moot, Bisection memory opened) = open(PUPPET, index, doubting(20, 20));
        (uint256 game, Bisection memory last) = defend(LIAR, moot, opened, trusting(20, 20));
        bytes memory stillOpen = abi.encodeWithSelector(IDispute.Dispute_ChallengeOpen.selector, moot);
        vm.expectRevert(stillOpen);
        dispute.returnBond(game);
        resolve(won);
        vm.assertEq(rollup.output(index).openChallenges, 0);

        bytes memory over = abi.encodeWithSelector(IDispute.Dispute_ChallengeOver.selector, moot);
        vm.expectRevert(over);
        dispute.timeOut(game);
        Answer memory answer = playOn(truth(), index, last).answer;
        vm.expectRevert(over);
        vm.prank(PUPPET);
        dispute.move(game, last, answer);
        vm.expectEmit(address(dispute));
        emit IDispute.GameEnded(game, GameStatus.Returned);
        dispute.returnBond(game);
        vm.expectRevert(abi.encodeWithSelector(IDispute.Dispute_GameOver.selector, game, GameStatus.Returned));
        dispute.returnBond(game);
        vm.expectEmit(address(dispute));
        emit IDispute.ChallengeEnded(moot, ChallengeStatus.Moot);
        dispute.resolve(moot);
        vm.expectRevert(over);
        dispute.resolve(moot);
        vm.assertEq(dispute.challengeAt(moot).openGames, 0);
        vm.assertEq(dispute.bondCredit(PUPPET), GAME_BOND);
        vm.assertEq(dispute.bondCredit(LIAR), GAME_BOND);
        vm.assertEq(address(dispute).balance, 3 * GAME_BOND + OUTPUT_WON);
        vm.assertEq(address(rollup).balance, 0);
    }

    function test_defend_mootChallenge_reverts() public {
        uint256 index = proposeWrong(0, 3);
        (uint256 won,) = open(CHALLENGER, index, truth());
        vm.warp(START_TIME + GAME_CLOCK);
        (uint256 moot, Bisection memory opened) = open(PUPPET, index, truth());
        resolve(won);
        vm.deal(LIAR, GAME_BOND);
        vm.expectRevert(abi.encodeWithSelector(IDispute.Dispute_ChallengeOver.selector, moot));
        this.defends(moot, opened);
        bytes32 claim = rollup.output(index).claim;
        vm.expectRevert(abi.encodeWithSelector(IRollup.Rollup_NotProposed.selector, index, Status.Rejected));
        this.challenges(index, claim);
    }

    function defends(uint256 id, Bisection memory opened) external {
        dispute.defend{ value: GAME_BOND }(id, opened, divide(trusting(5, 5), 1, segmentAt(opened, 0), 0));
    }

    function challenges(uint256 index, bytes32 claim) external {
        dispute.challenge{ value: GAME_BOND }(index, claim, divide(truth(), 1, outputSegment(1), 0));
    }

    /// @dev Of several defenders of a correct output one wins, and the others get their bonds back.
    function test_returnBond_whenAnotherDefenderHasWon() public {
        uint256 index = proposeRight(0, 3);
        (uint256 id, Bisection memory opened) = open(LIAR, index, doubting(7, 77));
        (uint256 won,) = defend(DEFENDER, id, opened, truth());
        (uint256 open_,) = defend(CHALLENGER, id, opened, truth());
        timeOut(won);
        dispute.returnBond(open_);
        vm.assertEq(dispute.bondCredit(DEFENDER), GAME_BOND + WON);
        vm.assertEq(dispute.bondCredit(CHALLENGER), GAME_BOND);
        vm.assertEq(dispute.challengeAt(id).openGames, 0);
        vm.assertEq(address(dispute).balance, 2 * GAME_BOND + WON);
    }

    /// @dev Challenges of one output affect neither other outputs nor its descendants.
    function test_disputes_ofDifferentOutputs_areIndependent() public {
        uint256 right = proposeRight(0, 2);
        uint256 wrong = proposeWrong(right, 2);
        uint256 child = proposeRight(wrong, 2);
        uint256 rival = proposeRight(right, 3);
        Belief memory liar = doubting(150, 3);
        (uint256 id, Bisection memory opened) = open(LIAR, right, liar);
        (uint256 game, Bisection memory last) = defend(DEFENDER, id, opened, truth());
        (uint256 won,) = open(CHALLENGER, wrong, truth());
        (uint256 other, Bisection memory otherOpened) = open(LIAR, rival, doubting(1, 3));
        (uint256 otherGame, Bisection memory otherLast) = defend(DEFENDER, other, otherOpened, truth());
        play(game, last, liar, truth());
        isStatus(right, Status.Proposed);
        vm.warp(START_TIME + 1);
        play(otherGame, otherLast, doubting(1, 3), truth());
        resolve(won);
        isStatus(wrong, Status.Rejected);
        isStatus(child, Status.Proposed);

        vm.warp(START_TIME + WINDOW);
        rollup.voidOutput(child);
        rollup.finalize(rival);
        isStatus(right, Status.Final);
        isStatus(child, Status.Void);
        vm.assertEq(rollup.bondCredit(PROPOSER), 3 * PROPOSER_BOND);
        vm.assertEq(address(rollup).balance, 3 * PROPOSER_BOND);
    }

    // --- single blocks

    /// @dev If an entry has one block, an output after one entry is a single block, so its challenge begins
    ///      in the machine phase.
    function test_challenge_singleBlock_beginsWithTheMachine() public {
        SingleBlocks single = new SingleBlocks();
        single.setUp();
        single.play();
    }

    // --- bonds

    function test_withdrawBond_paysOnce() public {
        uint256 index = proposeWrong(0, 3);
        (uint256 id,) = open(CHALLENGER, index, truth());
        resolve(id);
        uint256 before = CHALLENGER.balance;
        vm.expectEmit(address(dispute));
        emit IBonds.BondWithdrawn(CHALLENGER, GAME_BOND + OUTPUT_WON);
        vm.prank(CHALLENGER);
        dispute.withdrawBond();
        vm.assertEq(CHALLENGER.balance, before + GAME_BOND + OUTPUT_WON);
        vm.assertEq(address(dispute).balance, 0);
        vm.expectRevert(abi.encodeWithSelector(IBonds.Bonds_NothingToWithdraw.selector, CHALLENGER));
        vm.prank(CHALLENGER);
        dispute.withdrawBond();
    }

    /// @dev Burned ether is in no account.
    function test_forfeit_burnsHalf() public {
        address[4] memory all = [PROPOSER, CHALLENGER, LIAR, address(dispute)];
        uint256 before = total(all);
        uint256 index = proposeWrong(0, 3);
        (uint256 id, Bisection memory opened) = open(CHALLENGER, index, truth());
        (uint256 game, Bisection memory last) = defend(LIAR, id, opened, trusting(9, 9));
        play(game, last, truth(), trusting(9, 9));
        resolve(id);
        vm.assertEq(before - total(all), BURNED + PROPOSER_BOND / 2);
    }

    function total(address[4] memory all) private view returns (uint256 sum) {
        for (uint256 i; i < all.length; ++i) {
            sum += all[i].balance;
        }
    }

    function timeOutNow(uint256 game) private {
        uint256 now_ = block.timestamp;
        timeOut(game);
        vm.warp(now_);
    }
}

/// @dev A chain with one block per entry.
contract SingleBlocks is DisputeFixture {
    function blocksPerEntry() internal pure override returns (uint64) {
        return 1;
    }

    function play() external {
        uint256 index = proposeWrong(0, 1);
        (uint256 id, Bisection memory last) = open(CHALLENGER, index, truth());
        vm.assertEq(last.last, MACHINE_STEPS);
        vm.assertEq(last.agreedRoot, GENESIS_ROOT);
        vm.assertEq(last.answered, rollup.output(index).claim);
        uint256 game;
        (game, last) = defend(LIAR, id, last, trusting(1, 1234));
        while (!playOn(mover(game) == LIAR ? trusting(1, 1234) : truth(), index, last).proves) {
            last = move(game, last, mover(game) == LIAR ? trusting(1, 1234) : truth());
        }
        vm.assertEq(mover(game), LIAR);
        vm.warp(block.timestamp + GAME_CLOCK + 1);
        dispute.timeOut(game);
        dispute.resolve(id);
        vm.assertTrue(rollup.output(index).status == Status.Rejected);
    }
}
