// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Dispute } from "../../src/L1/Dispute.sol";
import { Rollup } from "../../src/L1/Rollup.sol";
import { Answer, Bisection, DisputeConfig, GameStatus, Phase } from "../../src/interfaces/IDispute.sol";
import { IInbox } from "../../src/interfaces/IInbox.sol";
import { LocalInputs } from "../../src/interfaces/IPreimageOracle.sol";
import { IRiscvStep } from "../../src/interfaces/IRiscvStep.sol";
import { IRollup, Output, RollupConfig } from "../../src/interfaces/IRollup.sol";
import { BisectionLib, Segment } from "../../src/lib/BisectionLib.sol";
import { OutputHash } from "../../src/lib/OutputHash.sol";
import { ProgramState } from "../../src/lib/ProgramState.sol";
import { FakeMachine } from "./FakeMachine.sol";
import { RollupFixture } from "./RollupFixture.sol";

/// @notice The chain that a player claims: correct up to some position and false from there on.
struct Belief {
    /// First false position of phase Blocks; 0 if the belief is correct everywhere.
    uint64 fromBlock;
    /// First false position of phase Machine, in the block before that position; at least 2.
    uint64 fromStep;
    /// Whether the belief's last position is the output's claim.
    bool trustsOutput;
    /// Seed of the false claims.
    bytes32 salt;
}

/// @notice A move: another bisection, or a step to be run.
struct Play {
    bool proves;
    Answer answer;
    bytes state;
}

/// @title DisputeFixture
/// @notice Correct and wrong outputs of a made-up chain, and players who derive their moves from their
///         beliefs.
abstract contract DisputeFixture is RollupFixture {
    /// @dev Odd, so that half of it is not a whole number.
    uint256 internal constant GAME_BOND = 1 ether + 1;
    uint24 internal constant GAME_CLOCK = 1 hours;
    uint24 internal constant GAME_INCREMENT = 5 minutes;
    /// @dev Number of entries of the made-up chain.
    uint64 internal constant ENTRIES = 40;
    uint64 internal constant MACHINE_STEPS = 1 << 42;
    uint64 internal constant PARTS_MAX = 32;

    address internal immutable CHALLENGER = account("challenger");
    address internal immutable DEFENDER = account("defender");
    address internal immutable LIAR = account("liar");
    address internal immutable PUPPET = account("puppet");

    Dispute internal dispute;
    FakeMachine internal fake;
    uint256 private _lies;

    function setUp() public virtual override {
        fake = new FakeMachine(blocksPerEntry());
        super.setUp();
        for (uint64 entry = 1; entry <= ENTRIES; ++entry) {
            fake.set(inbox.acc(entry), OutputHash.root(rightProposal(0, entry).proof));
        }
        vm.deal(CHALLENGER, 1000 ether);
        vm.deal(DEFENDER, 1000 ether);
        vm.deal(LIAR, 1000 ether);
        vm.deal(PUPPET, 1000 ether);
    }

    /// @dev Not a power of any number.
    function blocksPerEntry() internal pure virtual returns (uint64) {
        return 100;
    }

    function defaultDisputeConfig() internal view virtual returns (DisputeConfig memory) {
        return DisputeConfig({
            blocksPerEntryMax: blocksPerEntry(),
            gameBond: GAME_BOND,
            gameClock: GAME_CLOCK,
            gameIncrement: GAME_INCREMENT
        });
    }

    function stepper() internal virtual returns (IRiscvStep) {
        return fake;
    }

    /// @dev The two contracts know each other's address.
    function newRollup(RollupConfig memory config) internal override returns (Rollup made) {
        IRiscvStep riscvStep = stepper();
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        made = new Rollup(IInbox(address(inbox)), next, GENESIS_ROOT, config);
        dispute = new Dispute(IRollup(address(made)), riscvStep, defaultDisputeConfig());
    }

    // --- outputs

    function rightProposal(uint256 parentIndex, uint64 entry) internal view returns (Proposal memory) {
        return proposalOn(parentIndex, entry, entry, string.concat("right ", vm.toString(entry)));
    }

    /// @dev Proposes the correct output `entries` entries after the parent.
    function proposeRight(uint256 parentIndex, uint64 entries) internal returns (uint256) {
        return propose(rightProposal(parentIndex, rollup.output(parentIndex).entry + entries));
    }

    function proposeWrong(uint256 parentIndex, uint64 entries) internal returns (uint256) {
        uint64 entry = rollup.output(parentIndex).entry + entries;
        return propose(proposalOn(parentIndex, entry, entry, string.concat("wrong ", vm.toString(++_lies))));
    }

    function lastPosition(uint256 index) internal view returns (uint64) {
        Output memory output = rollup.output(index);
        return (output.entry - rollup.output(output.parentIndex).entry) * blocksPerEntry();
    }

    // --- beliefs

    function truth() internal pure returns (Belief memory) { }

    /// @dev A belief that agrees with the output and is false from `fromBlock` and `fromStep` on.
    function trusting(uint64 fromBlock, uint64 fromStep) internal pure returns (Belief memory) {
        return Belief(fromBlock, fromStep, true, keccak256("trusting"));
    }

    /// @dev A belief that disagrees with the output and is false from `fromBlock` and `fromStep` on.
    function doubting(uint64 fromBlock, uint64 fromStep) internal pure returns (Belief memory) {
        return Belief(fromBlock, fromStep, false, keccak256("doubting"));
    }

    function localInputs(uint256 index, uint64 blockPosition, bytes32 agreedRoot)
        internal
        view
        returns (LocalInputs memory)
    {
        uint64 parentEntry = rollup.output(rollup.output(index).parentIndex).entry;
        return LocalInputs({
            chainConfig: inbox.chainConfigHash(),
            outputRoot: agreedRoot,
            inboxAcc: inbox.acc(parentEntry + 1 + blockPosition / blocksPerEntry()),
            blockIndex: blockPosition % blocksPerEntry(),
            dataMissing: false
        });
    }

    function rootAt(Belief memory belief, uint256 index, uint64 position) internal view returns (bytes32) {
        if (belief.fromBlock != 0 && position >= belief.fromBlock) {
            bool isOutput = belief.trustsOutput && position == lastPosition(index);
            if (isOutput) return rollup.output(index).outputRoot;
            return keccak256(abi.encode(belief.salt, position));
        }
        if (position == 0) return rollup.output(rollup.output(index).parentIndex).outputRoot;
        LocalInputs memory local = localInputs(index, position - 1, 0);
        return fake.rootAfter(local.inboxAcc, local.blockIndex);
    }

    /// @dev The machine's state after `steps`, at least 1, in the block after `blockPosition`.
    function stateAt(
        Belief memory belief,
        uint256 index,
        uint64 blockPosition,
        bytes32 agreedRoot,
        uint64 steps
    ) internal view virtual returns (bytes memory) {
        bool lies = belief.fromBlock == blockPosition + 1 && steps >= belief.fromStep;
        if (!lies) return fake.stateAt(localInputs(index, blockPosition, agreedRoot), steps);
        if (steps < fake.HALTED_AT()) {
            return fake.encode(keccak256(abi.encode(belief.salt, steps)), 0, false, 0, steps);
        }
        bytes32 root = rootAt(belief, index, blockPosition + 1);
        return fake.encode(keccak256(abi.encode(belief.salt)), root, true, 0, fake.HALTED_AT());
    }

    function valueAt(Belief memory belief, uint256 index, Segment memory segment, uint64 position)
        internal
        view
        returns (bytes32)
    {
        if (segment.phase == Phase.Blocks) return rootAt(belief, index, position);
        if (position == 0) return ProgramState.INITIAL_STATE;
        return keccak256(stateAt(belief, index, segment.block, segment.agreedRoot, position));
    }

    // --- moves

    function outputSegment(uint256 index) internal view returns (Segment memory segment) {
        Output memory output = rollup.output(index);
        segment.answered = output.claim;
        segment.last = lastPosition(index);
        segment.start = rollup.output(output.parentIndex).outputRoot;
        segment.end = output.outputRoot;
    }

    function segmentAt(Bisection memory bisection, uint64 i) internal pure returns (Segment memory segment) {
        uint64 stride = ceilDiv(bisection.last - bisection.first, PARTS_MAX);
        segment.answered = keccak256(abi.encode(bisection));
        segment.phase = bisection.phase;
        segment.block = bisection.block;
        segment.agreedRoot = bisection.agreedRoot;
        segment.first = bisection.first + i * stride;
        segment.last = segment.first + stride < bisection.last ? segment.first + stride : bisection.last;
        segment.start = i == 0 ? bisection.start : bisection.claims[i - 1];
        segment.end = bisection.claims[i];
    }

    /// @dev A challenger's opening claims.
    function opening(Belief memory belief, uint256 index) internal view returns (Answer memory) {
        return divide(belief, index, outputSegment(index), 0);
    }

    /// @dev The move that follows from a belief: it answers the first segment whose end contradicts the
    ///      belief.
    function playOn(Belief memory belief, uint256 index, Bisection memory bisection)
        internal
        view
        returns (Play memory play)
    {
        uint64 i;
        Segment memory segment = segmentAt(bisection, 0);
        while (valueAt(belief, index, segment, segment.last) == segment.end) {
            segment = segmentAt(bisection, ++i);
        }
        play.answer.segment = i;
        play.proves = segment.phase == Phase.Machine && segment.last - segment.first == 1;
        if (!play.proves) play.answer = divide(belief, index, segment, i);
        else play.state = stateAt(belief, index, segment.block, segment.agreedRoot, segment.first);
    }

    function divide(Belief memory belief, uint256 index, Segment memory segment, uint64 i)
        internal
        view
        returns (Answer memory answer)
    {
        answer.segment = i;
        if (segment.phase == Phase.Blocks && segment.last - segment.first == 1) {
            answer.finalState = stateAt(belief, index, segment.first, segment.start, MACHINE_STEPS);
        }
        segment = inner(segment);
        uint64 stride = ceilDiv(segment.last - segment.first, PARTS_MAX);
        answer.claims = new bytes32[](ceilDiv(segment.last - segment.first, stride));
        for (uint64 j; j < answer.claims.length; ++j) {
            uint64 position = segment.first + (j + 1) * stride;
            if (position > segment.last) position = segment.last;
            answer.claims[j] = valueAt(belief, index, segment, position);
        }
    }

    /// @dev The range that an answer to a segment divides: the segment, or all steps of the machine if it is
    ///      a single block.
    function inner(Segment memory segment) internal pure returns (Segment memory) {
        if (segment.phase == Phase.Machine || segment.last - segment.first > 1) return segment;
        return Segment({
            answered: segment.answered,
            phase: Phase.Machine,
            block: segment.first,
            agreedRoot: segment.start,
            first: 0,
            last: MACHINE_STEPS,
            start: ProgramState.INITIAL_STATE,
            end: 0
        });
    }

    /// @dev The bisection that an answer to a segment becomes.
    function bisectionOf(Segment memory segment, Answer memory answer)
        internal
        pure
        returns (Bisection memory)
    {
        segment = inner(segment);
        return Bisection({
            answered: segment.answered,
            phase: segment.phase,
            block: segment.block,
            agreedRoot: segment.agreedRoot,
            first: segment.first,
            last: segment.last,
            start: segment.start,
            claims: answer.claims
        });
    }

    /// @dev A random answer to a random segment. It has no claims if the segment is a step.
    function garbageOn(Bisection memory answered, bytes32 seed)
        internal
        view
        returns (Answer memory answer, Bisection memory made)
    {
        answer.segment = uint64(uint256(seed) % answered.claims.length);
        Segment memory segment = segmentAt(answered, answer.segment);
        uint64 length = inner(segment).last - inner(segment).first;
        if (length == 1) return (answer, made);
        answer.claims = new bytes32[](ceilDiv(length, ceilDiv(length, PARTS_MAX)));
        for (uint256 i; i < answer.claims.length; ++i) {
            answer.claims[i] = keccak256(abi.encode(seed, i));
        }
        if (inner(segment).phase != segment.phase) {
            answer.finalState = fake.encode(seed, seed, true, 0, 1);
            answer.claims[answer.claims.length - 1] = keccak256(answer.finalState);
        }
        made = bisectionOf(segment, answer);
    }

    function ceilDiv(uint64 a, uint64 b) internal pure returns (uint64) {
        return a / b + (a % b == 0 ? 0 : 1);
    }

    // --- calls

    function open(address who, uint256 index, Belief memory belief)
        internal
        returns (uint256 id, Bisection memory bisection)
    {
        Answer memory answer = opening(belief, index);
        bisection = bisectionOf(outputSegment(index), answer);
        bytes32 claim = rollup.output(index).claim;
        vm.prank(who);
        id = dispute.challenge{ value: GAME_BOND }(index, claim, answer);
    }

    function defend(address who, uint256 id, Bisection memory answered, Belief memory belief)
        internal
        returns (uint256 game, Bisection memory bisection)
    {
        Answer memory answer = playOn(belief, dispute.challengeAt(id).output, answered).answer;
        bisection = bisectionOf(segmentAt(answered, answer.segment), answer);
        vm.prank(who);
        game = dispute.defend{ value: GAME_BOND }(id, answered, answer);
    }

    /// @dev Makes the move that follows from a belief. A proof ends the game, so it returns no bisection.
    function move(uint256 game, Bisection memory answered, Belief memory belief)
        internal
        returns (Bisection memory bisection)
    {
        uint256 index = dispute.challengeAt(dispute.gameAt(game).challenge).output;
        Play memory play = playOn(belief, index, answered);
        bytes memory proof = stepProof();
        if (!play.proves) bisection = bisectionOf(segmentAt(answered, play.answer.segment), play.answer);
        vm.prank(mover(game));
        if (play.proves) dispute.prove(game, answered, play.answer.segment, play.state, proof);
        else dispute.move(game, answered, play.answer);
    }

    /// @dev The memory proof of the disputed step.
    function stepProof() internal view virtual returns (bytes memory) {
        return "";
    }

    /// @dev The account whose turn it is.
    function mover(uint256 game) internal view returns (address) {
        bool isChallenger = dispute.gameAt(game).status == GameStatus.ChallengerToMove;
        return isChallenger
            ? dispute.challengeAt(dispute.gameAt(game).challenge).challenger
            : dispute.gameAt(game).defender;
    }

    function isOpen(uint256 game) internal view returns (bool) {
        GameStatus status = dispute.gameAt(game).status;
        return status == GameStatus.ChallengerToMove || status == GameStatus.DefenderToMove;
    }
}
