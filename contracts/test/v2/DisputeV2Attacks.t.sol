// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { GameStatus, IDisputeV2, StakeStatus } from "../../src/v2/interfaces/IDisputeV2.sol";
import { Status } from "../../src/v2/interfaces/IRollupV2.sol";
import { Bisection } from "../../src/v2/lib/BisectionLibV2.sol";
import { DisputeV2Fixture } from "./utils/DisputeV2Fixture.sol";

/// @title DisputeV2AttacksTest
/// @notice Attacks that money could win once, against one honest account.
contract DisputeV2AttacksTest is DisputeV2Fixture {
    uint64 private constant LIE_AT = 37;
    /// @dev Increments and honest moves of ten minutes in a round.
    uint256 private constant MU = 10 * INCREMENT + 13 * 10 minutes;

    function hostile(uint256 i) private returns (address attacker) {
        attacker = account(string.concat("attacker ", vm.toString(i)));
        vm.deal(attacker, 100 ether);
    }

    /// @dev Ten accounts with a stake each accuse the true child. One defence after the other answers all of them.
    function test_moreStakesThanDefenders_doNotRejectATrueChild() external {
        uint256 right = propose(HONEST, 0, truth());
        uint256 wrong = propose(LIAR, 0, lie(LIE_AT, "lie"));
        revealBoth(right, wrong);
        uint256[] memory games = new uint256[](10);
        Bisection[] memory newest = new Bisection[](10);
        for (uint256 i; i < 10; ++i) {
            (uint256 accusation, Bisection memory bisection) = accuse(hostile(i), right, wrong);
            (games[i], newest[i]) = answer(HONEST, accusation, bisection, truth());
        }
        // One stake is enough for the honest account.
        vm.assertEq(address(dispute).balance, 11 * STAKE);
        uint256 start = block.timestamp;
        for (uint256 i; i < 10; ++i) {
            vm.warp(start);
            playOut(games[i], newest[i], beliefs[wrong], truth());
            vm.assertTrue(dispute.gameAt(games[i]).status == GameStatus.DefenderWon);
        }
        dispute.settleMatch(right, wrong);
        assertStatus(wrong, Status.Rejected);
        assertStatus(right, Status.Standing);
        // Half of each hostile stake is burned.
        vm.assertEq(dispute.bondCredit(HONEST), 10 * (STAKE / 4));
        vm.assertEq(address(dispute).balance, STAKE + 20 * (STAKE / 4));
    }

    /// @dev Ten accounts answer the true accusation. Each falls alone, and the accusation stands.
    function test_moreDefendersThanAccusers_doNotSaveAFalseChild() external {
        uint256 wrong = propose(LIAR, 0, lie(LIE_AT, "lie"));
        uint256 right = propose(HONEST, 0, truth());
        revealBoth(wrong, right);
        (uint256 accusation, Bisection memory bisection) = accuse(HONEST, wrong, right);
        for (uint256 i; i < 10; ++i) {
            address attacker = hostile(i);
            (uint256 game, Bisection memory first) = answer(attacker, accusation, bisection, beliefs[wrong]);
            playOut(game, first, truth(), beliefs[wrong]);
            vm.assertTrue(dispute.stakeOf(idOf(right), attacker).status == StakeStatus.Fallen);
        }
        vm.warp(block.timestamp + CLOCK + 1);
        dispute.settleAccusation(accusation);
        assertStatus(wrong, Status.Rejected);
    }

    /// @dev An accomplice answers for the true child, or accuses for it, and loses on purpose.
    function test_accompliceWhoLosesOnPurpose_fallsAlone() external {
        uint256 right = propose(HONEST, 0, truth());
        uint256 wrong = propose(LIAR, 0, lie(LIE_AT, "lie"));
        revealBoth(right, wrong);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint256 thrown, Bisection memory first) = answer(PUPPET, accusation, bisection, truth());
        (uint256 game, Bisection memory second) = answer(HONEST, accusation, bisection, truth());
        first = play(thrown, first, beliefs[wrong]);
        second = play(game, second, beliefs[wrong]);
        second = play(game, second, truth());
        vm.warp(block.timestamp + CLOCK + 1);
        dispute.timeOutGame(thrown);
        vm.assertTrue(dispute.stakeOf(idOf(right), PUPPET).status == StakeStatus.Fallen);
        vm.expectRevert(abi.encodeWithSelector(IDisputeV2.Dispute_GamesOpen.selector, LIAR, 1));
        dispute.settleAccusation(accusation);
        dispute.timeOutGame(game);
        dispute.settleMatch(right, wrong);
        assertStatus(right, Status.Standing);
    }

    /// @dev The attacker posts the true child, and a rival, and says nothing more. Anyone speaks for the true one.
    function test_trueChildOfASilentAttacker_isDefendedByAnyone() external {
        uint256 right = propose(LIAR, 0, truth());
        uint256 wrong = propose(LIAR, 0, lie(LIE_AT, "lie"));
        revealSide(HONEST, right, wrong, right);
        vm.warp(block.timestamp + CLOCK + 1);
        vm.prank(HONEST);
        tournament.timeOut(right, wrong, pathAt(right, wrong, 0));
        assertStatus(wrong, Status.Rejected);
        vm.assertEq(rollup.bondCredit(HONEST), 2 * (BOND / 4));
        vm.warp(START_TIME + INTERVAL + 1 + WINDOW);
        tournament.promote(right);
        rollup.finalize(right);
        // The bond goes back to who paid it.
        vm.assertEq(rollup.bondCredit(LIAR), BOND);
    }

    /// @dev A rival in the last second delays by a round without a clock, not by a whole one.
    function test_rivalInTheLastSecond_delaysByNoClock() external {
        uint256 right = propose(HONEST, 0, truth());
        uint256 endsAt = block.timestamp + WINDOW;
        vm.warp(endsAt - 1);
        uint256 wrong = propose(LIAR, 0, lie(LIE_AT, "lie"));
        vm.assertEq(uint256(rollup.contender(wrong).left), 1);
        // The liar uses up the increment at each of its moves, the honest side is prompt.
        for (uint256 level; level < 7; level += 6) {
            revealAt(HONEST, right, wrong, right, level);
            vm.warp(block.timestamp + INCREMENT);
            revealAt(LIAR, right, wrong, wrong, level);
        }
        vm.warp(block.timestamp + INCREMENT);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong);
        (uint256 game, Bisection memory next) = answer(HONEST, accusation, bisection, truth());
        for (uint256 i; i < 3; ++i) {
            vm.warp(block.timestamp + INCREMENT);
            next = play(game, next, beliefs[wrong]);
            next = play(game, next, truth());
        }
        vm.warp(block.timestamp + INCREMENT + 1);
        dispute.timeOutGame(game);
        dispute.settleMatch(right, wrong);
        tournament.promote(right);
        rollup.finalize(right);
        vm.assertLe(block.timestamp, endsAt + MU);
    }
}
