// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Answer, Bisection, ChallengeStatus } from "../src/interfaces/IDispute.sol";
import { Status } from "../src/interfaces/IRollup.sol";
import { BisectionLib } from "../src/lib/BisectionLib.sol";
import { Belief, Play } from "./utils/DisputeFixture.sol";
import { DisputeMachineFixture } from "./utils/DisputeMachineFixture.sol";

/// @notice Gas of the longest dispute. Every call is a transaction that pays EIP-7623's price for its
///         calldata. `node contracts/gas.mjs` measures the same with other numbers of parts.
/// forge-config: default.isolate = true
contract DisputeGasTest is DisputeMachineFixture {
    using BisectionLib for uint64;

    event log_named_uint(string name, uint256 value);

    uint64 private constant BLOCKS = 1 << 18;
    uint256 private constant ROUNDS_MAX = 14;
    uint256 private constant DISPUTE_GAS_MAX = 8_000_000;
    uint256 private constant LOADED_BYTES = 32 * 1024;

    uint256 private _gas;
    uint256 private _bisections;

    function blocksPerEntry() internal pure override returns (uint64) {
        return BLOCKS / 2;
    }

    function disputedBlock() internal pure override returns (uint64) {
        return BLOCKS - 77;
    }

    function count(string memory name) private {
        uint256 used = vm.lastCallGas().gasTotalUsed;
        _gas += used;
        emit log_named_uint(name, used);
    }

    function test_longestDispute_gas() public {
        bytes memory preimage = pattern(LOADED_BYTES);
        (, uint64 offset) = readsPreimage(preimage);
        // The honest side must make the proof, so the liar makes the last bisection.
        bool isUpheld = (BLOCKS.depth() + MACHINE_STEPS.depth()) % 2 == 1;
        Belief memory liar = Belief(disputedBlock() + 1, STEP + 1, !isUpheld, "liar");
        (Belief memory challenger, Belief memory defender) = isUpheld ? (liar, truth()) : (truth(), liar);
        uint256 index = isUpheld ? proposeRight(0, 2) : proposeWrong(0, 2);

        (uint256 id, Bisection memory last) = openAndCount(index, challenger);
        uint256 game;
        (game, last) = defendAndCount(id, last, defender);
        for (;;) {
            Belief memory belief = mover(game) == CHALLENGER ? challenger : defender;
            Play memory play = playOn(belief, index, last);
            if (play.proves) {
                vm.assertEq(belief.fromBlock, 0);
                oracle.loadKeccak(offset, preimage);
                count("load 32 KiB");
                proveAndCount(game, last, play);
                break;
            }
            last = moveAndCount(game, last, play.answer);
        }
        vm.warp(START_TIME + GAME_CLOCK + 1);
        if (!isUpheld) {
            dispute.resolve(id);
            count("resolve");
        }

        vm.assertTrue(rollup.output(index).status == (isUpheld ? Status.Proposed : Status.Rejected));
        emit log_named_uint("bisections", _bisections);
        emit log_named_uint("total", _gas);
        vm.assertEq(_bisections, BLOCKS.depth() + MACHINE_STEPS.depth());
        vm.assertLe(_bisections, ROUNDS_MAX);
        vm.assertLe(_gas, DISPUTE_GAS_MAX);
    }

    function openAndCount(uint256 index, Belief memory belief)
        private
        returns (uint256 id, Bisection memory bisection)
    {
        Answer memory answer = opening(belief, index);
        bisection = bisectionOf(outputSegment(index), answer);
        bytes32 claim = rollup.output(index).claim;
        vm.prank(CHALLENGER);
        id = dispute.challenge{ value: GAME_BOND }(index, claim, answer);
        count("challenge");
        ++_bisections;
    }

    function defendAndCount(uint256 id, Bisection memory answered, Belief memory belief)
        private
        returns (uint256 game, Bisection memory bisection)
    {
        Answer memory answer = playOn(belief, dispute.challengeAt(id).output, answered).answer;
        bisection = bisectionOf(segmentAt(answered, answer.segment), answer);
        vm.prank(DEFENDER);
        game = dispute.defend{ value: GAME_BOND }(id, answered, answer);
        count("defend");
        ++_bisections;
    }

    function moveAndCount(uint256 game, Bisection memory answered, Answer memory answer)
        private
        returns (Bisection memory bisection)
    {
        bisection = bisectionOf(segmentAt(answered, answer.segment), answer);
        vm.prank(mover(game));
        dispute.move(game, answered, answer);
        count("move");
        ++_bisections;
    }

    function proveAndCount(uint256 game, Bisection memory answered, Play memory play) private {
        vm.prank(mover(game));
        dispute.prove(game, answered, play.answer.segment, play.state, proof);
        count("prove");
        ChallengeStatus status = dispute.challengeAt(dispute.gameAt(game).challenge).status;
        vm.assertTrue(status == ChallengeStatus.Open || status == ChallengeStatus.Failed);
    }
}
