// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Dispute } from "../src/L1/Dispute.sol";
import { Portal } from "../src/L1/Portal.sol";
import { Rollup } from "../src/L1/Rollup.sol";
import {
    Answer,
    Bisection,
    Challenge,
    ChallengeStatus,
    Game,
    GameStatus
} from "../src/interfaces/IDispute.sol";
import { PortalConfig } from "../src/interfaces/IPortal.sol";
import { IRollup, Output, Status } from "../src/interfaces/IRollup.sol";
import { Belief, DisputeFixture } from "./utils/DisputeFixture.sol";
import { FuzzSelector } from "./utils/Vm.sol";

/// @notice Random actions: proposers of correct and wrong outputs, liars and puppets who challenge, defend
///         and move, a guardian who pauses withdrawals, and time. An honest challenger and an honest defender
///         act at the last moment.
contract DisputeActors is DisputeFixture {
    uint256 private constant OUTPUTS_MAX = 10;
    uint256 private constant CHALLENGES_MAX = 12;
    uint256 private constant GAMES_MAX = 16;
    uint256 private constant FUNDS = 1e24;
    uint64 private constant PAUSE_MAX = 6 hours;

    address[] private _accounts;
    Portal private _portal;

    /// @dev Whether an output and its ancestors are correct.
    mapping(uint256 output => bool) public isSound;
    mapping(uint256 output => bool) public hasHonestChallenge;
    mapping(uint256 output => bool) public wasRejected;
    mapping(uint256 challenge => bool) public isHonestChallenge;
    mapping(uint256 challenge => bool) public hasHonestDefender;
    mapping(uint256 game => bool) public isHonestDefender;

    mapping(uint256 challenge => Belief) private _challengers;
    mapping(uint256 challenge => Bisection) private _openings;
    mapping(uint256 game => Belief) private _defenders;
    mapping(uint256 game => Bisection) private _newest;
    /// @dev Games in which a liar contradicts its earlier claims.
    mapping(uint256 game => bool) private _isGarbage;

    function setUp() public override {
        super.setUp();
        isSound[0] = true;
        address[5] memory all = [PROPOSER, CHALLENGER, DEFENDER, LIAR, PUPPET];
        for (uint256 i; i < all.length; ++i) {
            _accounts.push(all[i]);
            vm.deal(all[i], FUNDS);
        }
        _portal = new Portal(
            PortalConfig({
                rollup: IRollup(address(rollup)), guardian: account("guardian"), pauseMax: PAUSE_MAX
            })
        );
    }

    function blocksPerEntry() internal pure override returns (uint64) {
        return 15;
    }

    function parties() external view returns (Rollup, Dispute, Portal) {
        return (rollup, dispute, _portal);
    }

    /// @dev Sums over the accounts: balances, credits in the dispute contract and in the rollup, and initial
    ///      balances.
    function holdings()
        external
        view
        returns (uint256 held, uint256 credit, uint256 rollupCredit, uint256 first)
    {
        for (uint256 i; i < _accounts.length; ++i) {
            held += _accounts[i].balance;
            credit += dispute.bondCredit(_accounts[i]);
            rollupCredit += rollup.bondCredit(_accounts[i]);
        }
        first = FUNDS * _accounts.length;
    }

    // --- outputs

    function proposeTruth(uint256 seed, uint256 entries) external {
        uint256 parent = parentFor(seed);
        if (!isSound[parent] || !mayPropose(parent)) return;
        Proposal memory p = rightProposal(parent, rollup.output(parent).entry + bound64(entries, 1, 3));
        try this.proposeAny(p) returns (uint256 index) {
            isSound[index] = true;
        } catch { } // it was proposed before
    }

    function proposeAny(Proposal memory p) external returns (uint256) {
        return propose(p);
    }

    function proposeLie(uint256 seed, uint256 entries) external {
        uint256 parent = parentFor(seed);
        if (mayPropose(parent)) proposeWrong(parent, bound64(entries, 1, 3));
    }

    /// @dev Any output, or the last final one if the chosen one is older.
    function parentFor(uint256 seed) private view returns (uint256 parent) {
        parent = seed % rollup.outputCount();
        uint256 lastFinal = rollup.lastFinalIndex();
        if (rollup.output(parent).entry < rollup.output(lastFinal).entry) parent = lastFinal;
    }

    function mayPropose(uint256 parent) private view returns (bool) {
        Output memory output = rollup.output(parent);
        bool falls = output.status == Status.Rejected || output.status == Status.Void;
        return !falls && rollup.outputCount() < OUTPUTS_MAX && output.entry + 3 <= ENTRIES;
    }

    // --- liars and puppets

    /// @dev A liar challenges a correct output. A puppet challenges a wrong one, in order to lose.
    function lieChallenge(uint256 seed, uint64 fromBlock, uint64 fromStep) external {
        // Prefers the newest output, so that it gets several challenges.
        uint256 index = seed % 3 == 0 ? seed % rollup.outputCount() : rollup.outputCount() - 1;
        if (!isChallengeable(index) || dispute.challengeCount() == CHALLENGES_MAX) return;
        challengeWith(seed % 2 == 0 ? LIAR : PUPPET, index, lying(index, fromBlock, fromStep, false));
    }

    function lieDefend(uint256 seed, uint64 fromBlock, uint64 fromStep) external {
        if (dispute.challengeCount() == 0 || dispute.gameCount() == GAMES_MAX) return;
        uint256 id = seed % dispute.challengeCount();
        if (!isDefendable(id)) return;
        Belief memory belief = lying(dispute.challengeAt(id).output, fromBlock, fromStep, true);
        defendWith(seed % 2 == 0 ? LIAR : PUPPET, id, belief);
    }

    /// @dev A liar moves in its own game and the other side answers at once, for `rounds` rounds.
    function lieMove(uint256 seed, uint256 rounds) external {
        if (dispute.gameCount() == 0) return;
        uint256 game = seed % dispute.gameCount();
        if (seed % 8 == 0) _isGarbage[game] = true;
        for (rounds = 1 + rounds % 8; rounds != 0 && isInTime(game); --rounds) {
            if (isHonestMover(game)) moveHonestly(game);
            else if (_isGarbage[game]) moveGarbage(game, keccak256(abi.encode(seed, rounds)));
            else if (!moveOn(game)) return;
        }
    }

    /// @dev A belief that is false from some position on.
    function lying(uint256 index, uint64 fromBlock, uint64 fromStep, bool trustsOutput)
        private
        view
        returns (Belief memory)
    {
        uint64 steps = fromStep % 2 == 0 ? fake.HALTED_AT() + 9 : MACHINE_STEPS;
        return Belief({
            fromBlock: bound64(fromBlock, 1, lastPosition(index)),
            fromStep: bound64(fromStep, 2, steps),
            trustsOutput: trustsOutput,
            salt: keccak256(abi.encode(fromBlock, fromStep, trustsOutput))
        });
    }

    function moveGarbage(uint256 game, bytes32 seed) private {
        Bisection memory answered = _newest[game];
        (Answer memory garbage, Bisection memory made) = garbageOn(answered, seed);
        if (garbage.claims.length == 0) return;
        vm.prank(mover(game));
        dispute.move(game, answered, garbage);
        _newest[game] = made;
    }

    // --- the honest side

    /// @dev Time passes. The honest side makes its moves before their deadlines, and everything that is over
    ///      is resolved.
    function wait(uint256 secs) external {
        uint256 until = block.timestamp + bound(secs, 0, secs % 6 == 0 ? WINDOW : GAME_CLOCK / 2);
        for (uint256 index = 1; index < rollup.outputCount(); ++index) {
            if (rollup.output(index).proposedAt + WINDOW <= until) challengeHonestly(index);
        }
        for (uint256 id; id < dispute.challengeCount(); ++id) {
            if (dispute.challengeAt(id).startedAt + GAME_CLOCK < until) defendHonestly(id);
        }
        for (uint256 game; game < dispute.gameCount(); ++game) {
            if (isInTime(game) && isHonestMover(game) && deadline(game) < until) moveHonestly(game);
        }
        vm.warp(until);
        settle();
    }

    /// @dev The honest side acts before its deadline.
    function actEarly(uint256 seed) external {
        uint256 index = seed % 2 == 0 ? seed % rollup.outputCount() : rollup.outputCount() - 1;
        if (index != 0) challengeHonestly(index);
        if (dispute.challengeCount() != 0) defendHonestly(seed % dispute.challengeCount());
    }

    function challengeHonestly(uint256 index) private {
        bool isLie = !isSound[index] && isSound[rollup.output(index).parentIndex];
        if (!isLie || hasHonestChallenge[index] || !isChallengeable(index)) return;
        hasHonestChallenge[index] = true;
        isHonestChallenge[challengeWith(CHALLENGER, index, truth())] = true;
    }

    function defendHonestly(uint256 id) private {
        if (!isSound[dispute.challengeAt(id).output] || hasHonestDefender[id] || !isDefendable(id)) return;
        hasHonestDefender[id] = true;
        isHonestDefender[defendWith(DEFENDER, id, truth())] = true;
    }

    function moveHonestly(uint256 game) private {
        vm.assertTrue(moveOn(game));
    }

    function isHonestMover(uint256 game) private view returns (bool) {
        return mover(game) == CHALLENGER || mover(game) == DEFENDER;
    }

    // --- everybody

    function pause(bool on) external {
        vm.prank(account("guardian"));
        (bool ok,) = address(_portal)
            .call(on ? abi.encodeCall(_portal.pause, ()) : abi.encodeCall(_portal.unpause, ()));
        ok; // too soon, or nothing to end
    }

    function withdraw(uint256 seed) external {
        address who = _accounts[seed % _accounts.length];
        vm.prank(who);
        (bool ok,) = address(dispute).call(abi.encodeCall(dispute.withdrawBond, ()));
        vm.prank(who);
        (ok,) = address(rollup).call(abi.encodeCall(rollup.withdrawBond, ()));
        ok; // nothing to take out
    }

    /// @dev Tries every call that ends games, challenges and outputs. Calls that are not due revert.
    function settle() public {
        bool ok;
        for (uint256 game; game < dispute.gameCount(); ++game) {
            (ok,) = address(dispute).call(abi.encodeCall(dispute.timeOut, (game)));
        }
        for (uint256 id; id < dispute.challengeCount(); ++id) {
            (ok,) = address(dispute).call(abi.encodeCall(dispute.resolve, (id)));
        }
        for (uint256 game; game < dispute.gameCount(); ++game) {
            (ok,) = address(dispute).call(abi.encodeCall(dispute.returnBond, (game)));
        }
        for (uint256 index; index < rollup.outputCount(); ++index) {
            (ok,) = address(rollup).call(abi.encodeCall(rollup.finalize, (index)));
            (ok,) = address(rollup).call(abi.encodeCall(rollup.voidOutput, (index)));
            if (rollup.output(index).status == Status.Rejected) wasRejected[index] = true;
        }
        ok;
    }

    function challengeWith(address who, uint256 index, Belief memory belief) private returns (uint256 id) {
        Bisection memory bisection;
        (id, bisection) = open(who, index, belief);
        _challengers[id] = belief;
        _openings[id] = bisection;
    }

    function defendWith(address who, uint256 id, Belief memory belief) private returns (uint256 game) {
        Bisection memory bisection;
        (game, bisection) = defend(who, id, _openings[id], belief);
        _defenders[game] = belief;
        _newest[game] = bisection;
    }

    /// @dev Makes the move that follows from the mover's belief. False if that move is a proof of a false
    ///      claim.
    function moveOn(uint256 game) private returns (bool) {
        bool isChallenger = dispute.gameAt(game).status == GameStatus.ChallengerToMove;
        Belief memory belief = isChallenger ? _challengers[dispute.gameAt(game).challenge] : _defenders[game];
        try this.moveWith(game, _newest[game], belief) returns (Bisection memory bisection) {
            _newest[game] = bisection;
            return true;
        } catch {
            return false;
        }
    }

    function moveWith(uint256 game, Bisection memory answered, Belief memory belief)
        external
        returns (Bisection memory)
    {
        return move(game, answered, belief);
    }

    function isChallengeable(uint256 index) private view returns (bool) {
        Output memory output = rollup.output(index);
        bool stands = output.status == Status.Proposed || output.status == Status.Challenged;
        return stands && block.timestamp < output.proposedAt + WINDOW;
    }

    function isPlayable(uint256 id) private view returns (bool) {
        Challenge memory played = dispute.challengeAt(id);
        return played.status == ChallengeStatus.Open && rollup.output(played.output).status != Status.Rejected;
    }

    function isDefendable(uint256 id) private view returns (bool) {
        return isPlayable(id) && block.timestamp <= dispute.challengeAt(id).startedAt + GAME_CLOCK;
    }

    function deadline(uint256 game) private view returns (uint256) {
        Game memory played = dispute.gameAt(game);
        bool isChallenger = played.status == GameStatus.ChallengerToMove;
        return played.movedAt + (isChallenger ? played.challengerClock : played.defenderClock);
    }

    function isInTime(uint256 game) private view returns (bool) {
        return isOpen(game) && isPlayable(dispute.gameAt(game).challenge) && block.timestamp <= deadline(game);
    }
}

contract DisputeInvariants is DisputeFixture {
    DisputeActors private actors;
    Portal private portal;

    function setUp() public override {
        actors = new DisputeActors();
        actors.setUp();
        (rollup, dispute, portal) = actors.parties();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actors);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector({ addr: address(actors), selectors: new bytes4[](13) });
        targets[0].selectors[0] = DisputeActors.proposeTruth.selector;
        targets[0].selectors[1] = DisputeActors.proposeLie.selector;
        targets[0].selectors[2] = DisputeActors.lieChallenge.selector;
        targets[0].selectors[3] = DisputeActors.lieDefend.selector;
        targets[0].selectors[4] = DisputeActors.lieMove.selector;
        targets[0].selectors[5] = DisputeActors.lieMove.selector;
        targets[0].selectors[6] = DisputeActors.actEarly.selector;
        targets[0].selectors[7] = DisputeActors.wait.selector;
        targets[0].selectors[8] = DisputeActors.settle.selector;
        targets[0].selectors[9] = DisputeActors.withdraw.selector;
        targets[0].selectors[10] = DisputeActors.pause.selector;
        targets[0].selectors[11] = DisputeActors.lieChallenge.selector;
        targets[0].selectors[12] = DisputeActors.wait.selector;
    }

    /// forge-config: default.invariant.runs = 20
    /// forge-config: default.invariant.depth = 96
    /// @dev One campaign checks all invariants, because each campaign takes seconds. No call of the honest
    ///      side ever reverts, so nobody can prevent a challenge, a defence or a move, not even by a pause.
    function invariant_disputes_areSound() public view {
        bondsAreConserved();
        countsAreRight();
        truthPrevails();
        decisionsStand();
    }

    /// @dev Each contract holds the bonds of open outputs, challenges and games, and the credits. Half of
    ///      each lost bond is burned, and nothing else.
    function bondsAreConserved() private view {
        (uint256 bonds, uint256 burned) = (0, 0);
        for (uint256 id; id < dispute.challengeCount(); ++id) {
            if (dispute.challengeAt(id).status == ChallengeStatus.Open) bonds += GAME_BOND;
        }
        for (uint256 game; game < dispute.gameCount(); ++game) {
            GameStatus status = dispute.gameAt(game).status;
            if (isOpen(game)) bonds += GAME_BOND;
            else if (status != GameStatus.Returned) burned += GAME_BOND / 2;
        }
        uint256 proposed;
        for (uint256 index = 1; index < rollup.outputCount(); ++index) {
            Status status = rollup.output(index).status;
            if (status == Status.Proposed || status == Status.Challenged) proposed += PROPOSER_BOND;
            if (status == Status.Rejected) burned += PROPOSER_BOND / 2;
        }
        (uint256 held, uint256 credit, uint256 rollupCredit, uint256 first) = actors.holdings();
        vm.assertEq(address(dispute).balance, bonds + credit);
        vm.assertEq(address(rollup).balance, proposed + rollupCredit);
        vm.assertEq(held + address(dispute).balance + address(rollup).balance + burned, first);
    }

    /// @dev The counters of open games and open challenges are correct.
    function countsAreRight() private view {
        uint64[] memory challenges = new uint64[](rollup.outputCount());
        uint32[] memory games = new uint32[](dispute.challengeCount());
        for (uint256 game; game < dispute.gameCount(); ++game) {
            if (isOpen(game)) ++games[dispute.gameAt(game).challenge];
        }
        for (uint256 id; id < dispute.challengeCount(); ++id) {
            Challenge memory found = dispute.challengeAt(id);
            vm.assertEq(found.openGames, games[id]);
            bool isMoot = rollup.output(found.output).status == Status.Rejected;
            if (found.status == ChallengeStatus.Open && !isMoot) ++challenges[found.output];
        }
        for (uint256 index; index < rollup.outputCount(); ++index) {
            Output memory found = rollup.output(index);
            vm.assertEq(found.openChallenges, challenges[index]);
            vm.assertEq(found.status == Status.Challenged, challenges[index] != 0);
        }
    }

    /// @dev An honest side that moves in time loses no game. The output is decided accordingly, within
    ///      disputeSecondsMax.
    function truthPrevails() private view {
        for (uint256 id; id < dispute.challengeCount(); ++id) {
            Challenge memory found = dispute.challengeAt(id);
            if (!actors.isHonestChallenge(id)) continue;
            vm.assertTrue(found.status != ChallengeStatus.Failed);
            bool isOver = block.timestamp > found.startedAt + dispute.disputeSecondsMax();
            if (isOver) vm.assertTrue(rollup.output(found.output).status == Status.Rejected);
        }
        for (uint256 game; game < dispute.gameCount(); ++game) {
            Game memory found = dispute.gameAt(game);
            if (actors.isHonestDefender(game)) vm.assertTrue(found.status != GameStatus.ChallengerWon);
            if (actors.isHonestChallenge(found.challenge)) {
                vm.assertTrue(found.status != GameStatus.DefenderWon);
            }
        }
        for (uint256 index = 1; index < rollup.outputCount(); ++index) {
            Status status = rollup.output(index).status;
            if (actors.isSound(index)) vm.assertTrue(status != Status.Rejected && status != Status.Void);
            else vm.assertTrue(status != Status.Final);
        }
    }

    /// @dev A rejected output stays rejected. A final output has a closed window, no open challenge and only
    ///      final ancestors.
    function decisionsStand() private view {
        for (uint256 index = 1; index < rollup.outputCount(); ++index) {
            Output memory found = rollup.output(index);
            Status parent = rollup.output(found.parentIndex).status;
            if (actors.wasRejected(index)) vm.assertTrue(found.status == Status.Rejected);
            if (found.status == Status.Void) {
                vm.assertTrue(parent == Status.Rejected || parent == Status.Void);
            }
            if (found.status != Status.Final) continue;
            vm.assertTrue(parent == Status.Final);
            vm.assertGe(block.timestamp, found.proposedAt + WINDOW);
        }
        for (uint256 id; id < dispute.challengeCount(); ++id) {
            Challenge memory found = dispute.challengeAt(id);
            bool isOpenOrWon = found.status == ChallengeStatus.Open || found.status == ChallengeStatus.Won;
            if (isOpenOrWon) vm.assertTrue(rollup.output(found.output).status != Status.Final);
        }
    }
}
