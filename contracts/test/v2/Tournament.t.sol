// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Tournament } from "../../src/v2/Tournament.sol";
import { IDisputeV2 } from "../../src/v2/interfaces/IDisputeV2.sol";
import { Contender, IRollupV2, Status } from "../../src/v2/interfaces/IRollupV2.sol";
import { ITournament, MatchReveals, Reveal, TournamentConfig } from "../../src/v2/interfaces/ITournament.sol";
import { HistoryLib, Path } from "../../src/v2/lib/HistoryLib.sol";
import { Progress } from "../../src/v2/lib/TimelineLib.sol";
import { Relay } from "../utils/Fakes.sol";
import { Belief, DisputeV2Fixture } from "./utils/DisputeV2Fixture.sol";

/// @title TournamentTest
/// @notice Reveals, what runs out, the padding, groups and rounds.
contract TournamentTest is DisputeV2Fixture {
    uint64 private constant LIE_AT = 37;

    function twoChildren() private returns (uint256 x, uint256 y) {
        x = propose(HONEST, 0, truth());
        y = propose(LIAR, 0, lie(LIE_AT, "lie"));
    }

    // --- deployment

    function test_constructor_checksItsConfiguration() external {
        TournamentConfig memory config = TournamentConfig({ groupSize: 4, gameIncrement: INCREMENT });
        uint64[5] memory sizes = [uint64(0), 1, 3, 129, 256];
        for (uint256 i; i < sizes.length; ++i) {
            config.groupSize = sizes[i];
            deployReverts(config);
        }
        config.groupSize = 128;
        config.gameIncrement = 0;
        deployReverts(config);
        // W + 2A + 2 * 18 G = 15 d.
        config.gameIncrement = 1 days / 36 + 1;
        deployReverts(config);
    }

    function deployReverts(TournamentConfig memory config) private {
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        vm.mockCall(address(rollup), abi.encodeWithSelector(IRollupV2.tournament.selector), abi.encode(next));
        vm.expectRevert(ITournament.Tournament_BadConfig.selector);
        new Tournament(rollup, IDisputeV2(address(1)), config);
    }

    // --- reveals

    function test_reveal_firstCallerCounts() external {
        (uint256 x, uint256 y) = twoChildren();
        revealAt(ANYONE, x, y, x, 0);
        Reveal memory noted = tournament.revealOf(trees[x][1], 6);
        vm.assertTrue(noted.by == ANYONE && noted.time == block.timestamp);
        bytes32[] memory children = new bytes32[](64);
        for (uint256 i; i < 64; ++i) {
            children[i] = trees[x][64 + i];
        }
        vm.expectRevert(
            abi.encodeWithSelector(ITournament.Tournament_AlreadyRevealed.selector, trees[x][1], ANYONE)
        );
        vm.prank(LIAR);
        tournament.reveal(children);
    }

    function test_reveal_byAnInternalCall() external {
        (uint256 x,) = twoChildren();
        bytes32[] memory children = new bytes32[](64);
        for (uint256 i; i < 64; ++i) {
            children[i] = trees[x][64 + i];
        }
        Relay relay = new Relay();
        // The event holds the children, since the call's input need not be on top of the transaction.
        vm.expectEmit(address(tournament));
        emit ITournament.Revealed(trees[x][1], 6, address(relay), children);
        relay.relay(address(tournament), abi.encodeCall(ITournament.reveal, (children)));
        vm.assertTrue(tournament.revealOf(trees[x][1], 6).by == address(relay));
    }

    // --- what runs out

    function test_timeOut_neitherReveals_putsTheLaterSeatOut() external {
        (uint256 x, uint256 y) = twoChildren();
        Path memory path = pathAt(x, y, 0);
        vm.warp(block.timestamp + CLOCK);
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_MatchOpen.selector, x, y));
        tournament.timeOut(x, y, path);
        vm.warp(block.timestamp + 1);
        vm.prank(ANYONE);
        tournament.timeOut(x, y, path);
        assertStatus(y, Status.Rejected);
        // Nobody revealed for x, so its proposer is paid.
        vm.assertEq(rollup.bondCredit(HONEST), BOND / 4);
        vm.assertEq(rollup.bondCredit(ANYONE), BOND / 4);
    }

    function test_timeOut_sideWithoutItsReveals_isOut() external {
        (uint256 x, uint256 y) = twoChildren();
        uint256 snapshot = vm.snapshotState();
        revealAt(ANYONE, x, y, y, 0);
        vm.warp(block.timestamp + CLOCK + 1);
        tournament.timeOut(x, y, pathAt(x, y, 0));
        assertStatus(x, Status.Rejected);
        vm.assertEq(rollup.bondCredit(ANYONE), BOND / 4);

        vm.revertToState(snapshot);
        revealSide(ANYONE, x, y, x);
        revealAt(ANYONE, x, y, y, 0);
        vm.warp(block.timestamp + CLOCK + 1);
        // At depth 0 both are in time.
        Path memory path = pathAt(x, y, 0);
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_MatchOpen.selector, x, y));
        tournament.timeOut(x, y, path);
        tournament.timeOut(x, y, pathAt(x, y, 6));
        assertStatus(y, Status.Rejected);
    }

    function test_timeOut_lateRevealDoesNotHelp() external {
        (uint256 x, uint256 y) = twoChildren();
        revealSide(ANYONE, x, y, x);
        vm.warp(block.timestamp + CLOCK + 1);
        revealSide(LIAR, x, y, y);
        tournament.timeOut(x, y, pathAt(x, y, 6));
        assertStatus(y, Status.Rejected);
    }

    function test_timeOut_noAccusation_putsTheLaterSeatOut() external {
        (uint256 x, uint256 y) = twoChildren();
        revealBoth(x, y);
        uint256 endsAt = block.timestamp + CLOCK;
        Path memory path = leafPath(x, y);
        vm.warp(endsAt);
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_AccusationOpen.selector, x, y, endsAt));
        tournament.timeOut(x, y, path);
        vm.warp(endsAt + 1);
        Path memory short = pathAt(x, y, 6);
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_MatchOpen.selector, x, y));
        tournament.timeOut(x, y, short);
        tournament.timeOut(x, y, path);
        assertStatus(y, Status.Rejected);
    }

    function test_timeOut_afterAnAccusation_reverts() external {
        (uint256 x, uint256 y) = twoChildren();
        revealBoth(x, y);
        accuse(LIAR, x, y);
        vm.warp(block.timestamp + CLOCK + 1);
        Path memory path = leafPath(x, y);
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_Accused.selector, x, y));
        tournament.timeOut(x, y, path);
    }

    function test_timeOut_wrongPath_reverts() external {
        (uint256 x, uint256 y) = twoChildren();
        vm.warp(block.timestamp + CLOCK + 1);
        Path memory path = pathAt(x, y, 6);
        path.words[2] = keccak256("another");
        vm.expectRevert();
        tournament.timeOut(x, y, path);
        path = pathAt(x, y, 5);
        vm.expectRevert(abi.encodeWithSelector(HistoryLib.History_WrongDepth.selector, 5));
        tournament.timeOut(x, y, path);
    }

    function test_clock_isUsedUpByEveryReveal() external {
        (uint256 x, uint256 y) = twoChildren();
        vm.warp(block.timestamp + 1 days);
        revealAt(ANYONE, x, y, x, 0);
        vm.warp(block.timestamp + 1 days);
        revealAt(ANYONE, x, y, y, 0);
        revealAt(ANYONE, x, y, x, 6);
        vm.warp(block.timestamp + 1 days);
        revealAt(ANYONE, x, y, y, 6);
        MatchReveals memory found = tournament.reveals(x, y, leafPath(x, y));
        vm.assertTrue(found.progress == Progress.Revealed);
        vm.assertEq(found.from, block.timestamp);
        vm.assertEq(found.leftX, CLOCK - 1 days);
        vm.assertEq(found.leftY, CLOCK - 3 days);
    }

    // --- the padding

    function test_padded_theChildThatDoesNotRepeat_isOut() external {
        uint256 x = propose(HONEST, 0, truth());
        uint256 y = propose(LIAR, 0, lie(85, "padding"));
        revealBoth(x, y);
        settlePadding(x, y);
        assertStatus(y, Status.Rejected);
        assertStatus(x, Status.Standing);
    }

    function test_padded_xDoesNotRepeat() external {
        uint256 x = propose(LIAR, 0, lie(85, "padding"));
        uint256 y = propose(HONEST, 0, truth());
        revealBoth(x, y);
        settlePadding(x, y);
        assertStatus(x, Status.Rejected);
        assertStatus(y, Status.Standing);
    }

    function test_padded_neitherRepeats_putsTheLaterSeatOut() external {
        uint256 x = propose(LIAR, 0, lie(85, "padding"));
        uint256 y = propose(PUPPET, 0, lie(85, "other"));
        revealBoth(x, y);
        settlePadding(x, y);
        assertStatus(y, Status.Rejected);
    }

    function test_padded_outputRootIsTheLastLeaf() external {
        // All leaves but the last one of the padding are true: what it proposes as the output root is false.
        uint256 x = propose(HONEST, 0, truth());
        uint256 y = propose(LIAR, 0, lie(127, "output root"));
        vm.assertTrue(rollup.output(x).outputRoot != rollup.output(y).outputRoot);
        revealBoth(x, y);
        settlePadding(x, y);
        assertStatus(y, Status.Rejected);
    }

    function test_padded_decidesAtAnyLaterTime() external {
        uint256 x = propose(HONEST, 0, truth());
        uint256 y = propose(LIAR, 0, lie(85, "padding"));
        revealBoth(x, y);
        vm.warp(block.timestamp + 3 * CLOCK);
        settlePadding(x, y);
        assertStatus(y, Status.Rejected);
    }

    /// @dev Two children of a group without the true one may agree on leaves whose nodes nobody else has. If they differ
    ///      first past the blocks, only they could show the leaf before.
    function test_padded_notInTime_putsTheLaterSeatOut() external {
        uint256 x = propose(LIAR, 0, lie(85, "padding"));
        uint256 y = propose(PUPPET, 0, lie(85, "other"));
        revealBoth(x, y);
        Path memory path = leafPath(x, y);
        uint256 endsAt = block.timestamp + CLOCK;
        vm.warp(endsAt);
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_AccusationOpen.selector, x, y, endsAt));
        tournament.timeOut(x, y, path);
        vm.warp(endsAt + 1);
        tournament.timeOut(x, y, path);
        assertStatus(x, Status.Standing);
        assertStatus(y, Status.Rejected);
    }

    function test_padded_beforeTheReveals_orAtABlock_reverts() external {
        uint256 x = propose(HONEST, 0, truth());
        uint256 y = propose(LIAR, 0, lie(85, "padding"));
        bytes32[] memory words = siblings(trees[x], 84);
        bytes32 before = trees[x][128 + 84];
        Path memory path = leafPath(x, y);
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_MatchOpen.selector, x, y));
        tournament.padded(x, y, path, before, words);
        revealBoth(x, y);
        vm.expectRevert(
            abi.encodeWithSelector(
                HistoryLib.History_WrongRoot.selector, trees[x][1], rootFrom(x, 84, keccak256("another"))
            )
        );
        tournament.padded(x, y, path, keccak256("another"), words);

        uint256 z = propose(PUPPET, 0, lie(79, "last block"));
        revealBoth(x, z);
        path = leafPath(x, z);
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_WrongLeaf.selector, 79, 80));
        tournament.padded(x, z, path, before, words);
    }

    function settlePadding(uint256 x, uint256 y) private {
        Path memory path = leafPath(x, y);
        bytes32[] memory words = siblings(trees[x], path.index - 1);
        vm.prank(ANYONE);
        tournament.padded(x, y, path, trees[x][128 + path.index - 1], words);
    }

    function rootFrom(uint256 index, uint256 leaf, bytes32 node) private view returns (bytes32) {
        bytes32[] memory words = siblings(trees[index], leaf);
        for (uint256 i; i < words.length; ++i) {
            node = (leaf >> i) & 1 == 1
                ? keccak256(abi.encode(words[i], node))
                : keccak256(abi.encode(node, words[i]));
        }
        return node;
    }

    // --- groups and rounds

    function test_promote_onlyChildNeedsNone() external {
        uint256 x = propose(HONEST, 0, truth());
        vm.warp(block.timestamp + WINDOW);
        rollup.finalize(x);
        assertStatus(x, Status.Final);
    }

    function test_promote_lastOfItsGroup_afterTheWindow() external {
        (uint256 x, uint256 y) = twoChildren();
        uint256 endsAt = block.timestamp + WINDOW;
        revealSide(HONEST, x, y, x);
        vm.warp(endsAt - 1);
        tournament.timeOut(x, y, pathAt(x, y, 0));
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_WindowOpen.selector, endsAt));
        tournament.promote(x);
        vm.warp(endsAt);
        vm.expectRevert(abi.encodeWithSelector(IRollupV2.Rollup_NotWinner.selector, x));
        rollup.finalize(x);
        tournament.promote(x);
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_Decided.selector, idOf(x), x));
        tournament.promote(x);
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_NotStanding.selector, y));
        tournament.promote(y);
        rollup.finalize(x);
        vm.assertEq(rollup.lastFinalIndex(), x);
    }

    function test_promote_whileOthersStand_reverts() external {
        (uint256 x,) = twoChildren();
        vm.warp(block.timestamp + WINDOW);
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_GroupOpen.selector, 2, 2, 2));
        tournament.promote(x);
    }

    /// @dev Ten children in groups of four: the last of each meet in the next round, with fresh clocks.
    function test_promote_winnersOfGroupsMeet() external {
        uint256[] memory children = new uint256[](10);
        for (uint64 i; i < 10; ++i) {
            Belief memory belief = i == 5 ? truth() : lie(i, vm.toString(i));
            children[i] = propose(i == 5 ? HONEST : LIAR, 0, belief);
        }
        vm.assertEq(uint256(rollup.contender(children[9]).seat), 9);
        vm.expectRevert(
            abi.encodeWithSelector(ITournament.Tournament_NotRivals.selector, children[3], children[4])
        );
        tournament.checkRivals(children[3], children[4]);
        tournament.checkRivals(children[4], children[7]);

        // The first of each group reveals everything, the others nothing.
        vm.warp(block.timestamp + WINDOW - CLOCK);
        for (uint256 first; first < 10; first += 4) {
            uint256 winner = first == 4 ? 5 : first;
            for (uint256 i = first; i < first + 4 && i < 10; ++i) {
                if (i == winner) continue;
                (uint256 x, uint256 y) = i < winner ? (i, winner) : (winner, i);
                revealSide(ANYONE, children[x], children[y], children[winner]);
            }
        }
        vm.warp(block.timestamp + CLOCK + 1);
        for (uint256 first; first < 10; first += 4) {
            uint256 winner = first == 4 ? 5 : first;
            for (uint256 i = first; i < first + 4 && i < 10; ++i) {
                if (i == winner) continue;
                (uint256 x, uint256 y) = i < winner ? (i, winner) : (winner, i);
                tournament.timeOut(children[x], children[y], pathAt(children[x], children[y], 0));
            }
        }
        uint256 id = idOf(children[5]);
        (uint256 members, uint256 arrived, uint256 standing) = tournament.group(id, 0, 2);
        vm.assertTrue(members == 2 && arrived == 2 && standing == 1);
        tournament.promote(children[5]);
        tournament.promote(children[0]);
        // The second round has three members, one of which has not arrived.
        (members, arrived, standing) = tournament.group(id, 1, 0);
        vm.assertTrue(members == 3 && arrived == 2 && standing == 2);
        Contender memory promoted = rollup.contender(children[5]);
        vm.assertEq(uint256(promoted.round), 1);
        vm.assertEq(uint256(promoted.since), block.timestamp);
        vm.assertEq(uint256(promoted.left), CLOCK);

        // Reveals of the first round count at once; at depth 6 the true child's node is another one.
        vm.warp(block.timestamp + 2 * CLOCK);
        tournament.timeOut(children[0], children[5], pathAt(children[0], children[5], 6));
        assertStatus(children[5], Status.Rejected);
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_GroupOpen.selector, 3, 2, 1));
        tournament.promote(children[0]);
        tournament.promote(children[8]);
        vm.warp(block.timestamp + CLOCK + 1);
        tournament.timeOut(children[0], children[8], pathAt(children[0], children[8], 6));
        tournament.promote(children[0]);
        vm.assertEq(rollup.winnerOf(id), children[0]);
    }

    function test_eliminate_onlyByTheDisputeContract() external {
        (uint256 x,) = twoChildren();
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_NotDispute.selector, address(this)));
        tournament.eliminate(x, HONEST, HONEST);
    }

    function test_childrenOfDifferentParents_areNoRivals() external {
        (uint256 x,) = twoChildren();
        inbox.append(uint64(block.timestamp));
        vm.warp(block.timestamp + INTERVAL + 1);
        uint256 child = propose(HONEST, x, lie(3, "child"));
        vm.expectRevert(abi.encodeWithSelector(ITournament.Tournament_NotRivals.selector, x, child));
        tournament.checkRivals(x, child);
    }
}
