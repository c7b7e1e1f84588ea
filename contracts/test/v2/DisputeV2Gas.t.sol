// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Entry, IInbox } from "../../src/interfaces/IInbox.sol";
import { IRiscvStep } from "../../src/interfaces/IRiscvStep.sol";
import { OutputRootProof } from "../../src/interfaces/IRollup.sol";
import { OutputHash } from "../../src/lib/OutputHash.sol";
import { DisputeV2 } from "../../src/v2/DisputeV2.sol";
import { Programs } from "../../src/v2/Programs.sol";
import { RollupV2 } from "../../src/v2/RollupV2.sol";
import { Tournament } from "../../src/v2/Tournament.sol";
import { IDisputeV2, Opening } from "../../src/v2/interfaces/IDisputeV2.sol";
import { ProgramsConfig } from "../../src/v2/interfaces/IPrograms.sol";
import { Proposal, RollupConfig, Status } from "../../src/v2/interfaces/IRollupV2.sol";
import { TournamentConfig } from "../../src/v2/interfaces/ITournament.sol";
import { Bisection, BisectionLibV2 } from "../../src/v2/lib/BisectionLibV2.sol";
import { Path } from "../../src/v2/lib/HistoryLib.sol";
import { FakeMachine } from "../utils/FakeMachine.sol";
import { Headers } from "../utils/Headers.sol";
import { Test } from "../utils/Test.sol";

/// @title LongInbox
/// @notice An inbox with as many entries as the longest range has. It is its own portal.
contract LongInbox {
    uint64 public immutable LAST;
    bytes32 public constant chainConfigHash = keccak256("chain configuration");
    uint64 public constant forceWindow = 1 hours;
    uint64 public constant pauseMax = 1 days;

    mapping(uint64 index => bytes32) private _accs;

    constructor(uint64 last) {
        LAST = last;
        // Entries are in storage, as those of the inbox are.
        _accs[0] = keccak256(abi.encode(0));
        _accs[last - 1] = keccak256(abi.encode(last - 1));
        Entry memory entry;
        (entry.index, entry.l1Time) = (last, uint64(block.timestamp));
        _accs[last] = keccak256(abi.encode(_accs[last - 1], entry));
    }

    function lastEntry() external view returns (Entry memory last) {
        (last.index, last.l1Time) = (LAST, uint64(block.timestamp));
    }

    function entryCount() external view returns (uint64) {
        return LAST + 1;
    }

    function acc(uint64 index) external view returns (bytes32) {
        bytes32 stored = _accs[index];
        return stored == 0 ? keccak256(abi.encode(index)) : stored;
    }

    function portal() external view returns (LongInbox) {
        return this;
    }
}

/// @notice Gas of each call over the longest range: histories of depth 28, five reveals, paths of 55 words. Every call is a
///         transaction that pays EIP-7623's price for its calldata.
/// forge-config: default.isolate = true
contract DisputeV2GasTest is Test {
    event log_named_uint(string name, uint256 value);

    uint256 private constant CALL_GAS_MAX = 500_000;
    uint256 private constant ONE_LIAR_GAS_MAX = 8_000_000;
    uint256 private constant DEPTH = 28;
    uint256 private constant BOND = 2 ether;
    uint256 private constant STAKE = 4 ether;
    uint64 private constant INCREMENT = 30 minutes;
    uint64 private constant CLOCK = 3.5 days;
    uint64 private constant WINDOW = 7 days;
    /// @dev The path to this leaf turns right once, and then left 27 times.
    uint256 private constant LIE_AT = 1 << 27;
    uint256 private constant LAST_LEAF = (1 << DEPTH) - 1;
    bytes32 private constant GENESIS_ROOT = keccak256("genesis output root");
    bytes32 private constant PROGRAM = keccak256("program");

    address private immutable HONEST = account("honest");
    address private immutable LIAR = account("liar");

    LongInbox private inbox;
    RollupV2 private rollup;
    Tournament private tournament;
    DisputeV2 private dispute;
    uint256 private gas;
    uint256 private claimed;

    function setUp() external {
        vm.warp(START_TIME);
        vm.deal(HONEST, 100 ether);
        vm.deal(LIAR, 100 ether);
        deploy(1 << 20);
    }

    function deploy(uint64 entries) private {
        inbox = new LongInbox(entries);
        uint256 nonce = vm.getNonce(address(this));
        address programsAt = vm.computeCreateAddress(address(this), nonce + 2);
        rollup = new RollupV2(
            IInbox(address(inbox)),
            vm.computeCreateAddress(address(this), nonce + 1),
            programsAt,
            GENESIS_ROOT,
            RollupConfig({
                challengeWindow: WINDOW,
                gameClock: CLOCK,
                outputInterval: 12 hours,
                entriesPerOutputMax: entries,
                blocksPerEntryMax: 256,
                proposerBond: BOND
            })
        );
        tournament = new Tournament(
            rollup,
            IDisputeV2(vm.computeCreateAddress(address(this), nonce + 3)),
            TournamentConfig({ groupSize: 128, gameIncrement: INCREMENT })
        );
        new Programs(rollup, PROGRAM, ProgramsConfig({ admin: address(0), notice: 0, escapeAfter: 0 }));
        dispute = new DisputeV2(tournament, IRiscvStep(account("machine")), STAKE);
        // The machine's step comes to another state than anybody claims.
        vm.mockCall(
            account("machine"), abi.encodeWithSelector(IRiscvStep.step.selector), abi.encode(bytes32(0))
        );
    }

    function count(string memory name) private returns (uint256 used) {
        used = vm.lastCallGas().gasTotalUsed;
        gas += used;
        emit log_named_uint(name, used);
        vm.assertLe(used, CALL_GAS_MAX);
    }

    // --- histories: one root up to a leaf, and another one from there on

    function outputProof(uint64 salt) private pure returns (OutputRootProof memory) {
        return OutputRootProof({
            version: 0,
            stateRoot: keccak256(abi.encode("state", salt)),
            messagePasserStorageRoot: keccak256("messages"),
            latestBlockhash: keccak256(headerOf(salt))
        });
    }

    function headerOf(uint64 salt) private pure returns (bytes memory) {
        return Headers.encode(keccak256(abi.encode("state", salt)), Headers.encodeNumber(1 << 40), 0);
    }

    function rootOf(uint64 salt) private pure returns (bytes32) {
        return OutputHash.root(outputProof(salt));
    }

    /// @dev The node at a depth of the history that says 1 up to `from` and `salt` from there on.
    function node(uint64 salt, uint256 from, uint256 depth, uint256 index) private pure returns (bytes32) {
        uint256 height = DEPTH - depth;
        if ((index + 1) << height <= from) return uniform(rootOf(1), height);
        if (index << height >= from) return uniform(rootOf(salt), height);
        return keccak256(
            abi.encode(node(salt, from, depth + 1, 2 * index), node(salt, from, depth + 1, 2 * index + 1))
        );
    }

    function uniform(bytes32 root, uint256 height) private pure returns (bytes32) {
        for (uint256 i; i < height; ++i) {
            root = keccak256(abi.encode(root, root));
        }
        return root;
    }

    function siblings(uint64 salt, uint256 from, uint256 leaf) private pure returns (bytes32[] memory words) {
        words = new bytes32[](DEPTH);
        for (uint256 level; level < DEPTH; ++level) {
            words[level] = node(salt, from, DEPTH - level, (leaf >> level) ^ 1);
        }
    }

    /// @dev The path to a leaf in which the honest history, which says 1 everywhere, differs first from another.
    function pathTo(bool honestIsX, uint256 depth, uint256 from) private pure returns (Path memory path) {
        (path.depth, path.index) = (depth, from >> (DEPTH - depth));
        (bytes32 honest, bytes32 lie) = (node(1, from, depth, path.index), node(2, from, depth, path.index));
        (path.nodeX, path.nodeY) = honestIsX ? (honest, lie) : (lie, honest);
        bytes32[] memory words = new bytes32[](2 * depth);
        uint256 used;
        for (uint256 level; level < depth; ++level) {
            uint256 sibling = (path.index >> level) ^ 1;
            (honest, lie) = (node(1, from, depth - level, sibling), node(2, from, depth - level, sibling));
            words[used++] = honestIsX ? honest : lie;
            if (sibling & 1 == 1) words[used++] = honestIsX ? lie : honest;
        }
        path.words = new bytes32[](used);
        for (uint256 i; i < used; ++i) {
            path.words[i] = words[i];
        }
    }

    // --- calls

    function propose(address who, uint64 salt, uint256 from) private returns (uint256 index) {
        Proposal memory proposal;
        proposal.parentClaim = rollup.output(0).claim;
        proposal.entry = inbox.LAST();
        proposal.expectedAcc = inbox.acc(proposal.entry);
        proposal.history = node(salt, from, 0, 0);
        proposal.siblings = siblings(salt, from, LAST_LEAF);
        proposal.rangeProof = new Entry[](1);
        proposal.rangeProof[0] = inbox.lastEntry();
        proposal.outputProof = outputProof(salt);
        proposal.header = headerOf(salt);
        vm.prank(who);
        index = rollup.propose{ value: BOND }(proposal);
        count("propose");
    }

    function revealAll(address who, uint64 salt, uint256 from) private {
        for (uint256 level; level < DEPTH; level += 6) {
            uint256 width = DEPTH - level < 6 ? DEPTH - level : 6;
            uint256 first = (from >> (DEPTH - level)) << width;
            bytes32[] memory children = new bytes32[](1 << width);
            for (uint256 i; i < children.length; ++i) {
                children[i] = node(salt, from, level + width, first + i);
            }
            vm.prank(who);
            tournament.reveal(children);
            count("reveal");
        }
    }

    function openingOf(bytes32 root, uint64 saltX, uint256 from) private returns (Opening memory opening) {
        opening.before = node(saltX, from, DEPTH, from - 1);
        opening.beforeSiblings = siblings(saltX, from, from - 1);
        opening.claims = madeUp();
        opening.finalState = new FakeMachine(0).encode(0, root, true, 0, 0);
        opening.claims[31] = keccak256(opening.finalState);
    }

    function madeUp() private returns (bytes32[] memory claims) {
        claims = new bytes32[](32);
        for (uint256 i; i < 32; ++i) {
            claims[i] = keccak256(stateNumbered(++claimed));
        }
    }

    function stateNumbered(uint256 number) private pure returns (bytes memory state) {
        state = new bytes(305);
        state[0] = bytes1(uint8(number));
        state[1] = bytes1(uint8(number >> 8));
    }

    function accuse(address who, uint256 x, uint256 y, bool honestIsX)
        private
        returns (uint256 accusation, Bisection memory bisection)
    {
        Path memory path = pathTo(honestIsX, DEPTH, LIE_AT);
        vm.assertEq(path.words.length, 55);
        Opening memory opening = openingOf(path.nodeY, honestIsX ? 1 : 2, LIE_AT);
        vm.prank(who);
        accusation = dispute.accuse{ value: STAKE }(x, y, path, opening);
        count("accuse");
        bisection = Bisection({
            answered: keccak256(abi.encode(rollup.output(x).claim, rollup.output(y).claim, uint64(LIE_AT))),
            leaf: uint64(LIE_AT),
            before: opening.before,
            first: 0,
            steps: BisectionLibV2.STEPS,
            start: PROGRAM,
            claims: opening.claims
        });
    }

    function divided(Bisection memory answered, bytes32[] memory claims)
        private
        pure
        returns (Bisection memory)
    {
        return Bisection({
            answered: keccak256(abi.encode(answered)),
            leaf: answered.leaf,
            before: answered.before,
            first: answered.first + answered.steps / 32,
            steps: answered.steps / 32,
            start: answered.claims[0],
            claims: claims
        });
    }

    /// @dev The answer to an accusation, and moves down to one step.
    function playDown(uint256 accusation, Bisection memory bisection, address defender, address accuser)
        private
        returns (uint256 game, Bisection memory next)
    {
        bytes32[] memory claims = madeUp();
        vm.prank(defender);
        game = dispute.answer{ value: STAKE }(accusation, bisection, 1, claims);
        count("answer");
        next = divided(bisection, claims);
        for (uint256 i; i < 6; ++i) {
            claims = madeUp();
            vm.prank(i % 2 == 0 ? accuser : defender);
            dispute.move(game, next, 1, claims);
            count("move");
            next = divided(next, claims);
        }
    }

    // --- one liar

    /// @dev A liar is first, so the honest account accuses, and proves a step.
    function test_oneLiar_gas() external {
        uint256 wrong = propose(LIAR, 2, LIE_AT);
        uint256 right = propose(HONEST, 1, LIE_AT);
        revealAll(HONEST, 1, LIE_AT);
        revealAll(LIAR, 2, LIE_AT);
        (uint256 accusation, Bisection memory bisection) = accuse(HONEST, wrong, right, false);
        (uint256 game, Bisection memory next) = playDown(accusation, bisection, LIAR, HONEST);
        bytes memory state = stateNumbered(claimed - 31);
        vm.prank(HONEST);
        dispute.prove(game, next, 1, state, "");
        count("prove, without the step");
        vm.warp(block.timestamp + CLOCK + 1);
        dispute.settleAccusation(accusation);
        count("settleAccusation");
        vm.warp(START_TIME + WINDOW);
        end(right);
        vm.assertTrue(rollup.statusOf(wrong) == Status.Rejected);
        emit log_named_uint("total", gas);
        vm.assertLe(gas, ONE_LIAR_GAS_MAX);
    }

    function end(uint256 right) private {
        tournament.promote(right);
        count("promote");
        rollup.finalize(right);
        count("finalize");
        dispute.release(0, HONEST);
        count("release");
        vm.prank(HONEST);
        rollup.withdrawBond();
        count("withdrawBond");
    }

    /// @dev A liar is second and accuses, with an accomplice, and falls.
    function test_falseAccusations_gas() external {
        uint256 right = propose(HONEST, 1, LIE_AT);
        uint256 wrong = propose(LIAR, 2, LIE_AT);
        revealAll(HONEST, 1, LIE_AT);
        revealAll(LIAR, 2, LIE_AT);
        address puppet = account("puppet");
        vm.deal(puppet, 100 ether);
        (uint256 accusation, Bisection memory bisection) = accuse(LIAR, right, wrong, true);
        (uint256 second, Bisection memory about) = accuse(puppet, right, wrong, true);
        (uint256 game,) = playDown(accusation, bisection, HONEST, LIAR);
        uint256 moot = answerOnce(puppet, accusation, bisection);
        uint256 other = answerOnce(HONEST, second, about);
        vm.warp(block.timestamp + CLOCK + 1);
        dispute.timeOutGame(game);
        count("timeOutGame");
        dispute.close(moot);
        count("close");
        dispute.timeOutGame(other);
        count("timeOutGame");
        dispute.settleMatch(right, wrong);
        count("settleMatch");
        vm.assertTrue(rollup.statusOf(wrong) == Status.Rejected);
    }

    /// @dev An answer of an account whose stake the tournament has.
    function answerOnce(address who, uint256 accusation, Bisection memory bisection)
        private
        returns (uint256 game)
    {
        bytes32[] memory claims = madeUp();
        vm.prank(who);
        game = dispute.answer(accusation, bisection, 1, claims);
        count("answer");
    }

    /// @dev The range has a few blocks more than half of the leaves, and the liar does not repeat the last one.
    function test_padding_gas() external {
        deploy((1 << 19) + 1);
        uint256 from = LIE_AT + 256;
        uint256 right = propose(HONEST, 1, from);
        uint256 wrong = propose(LIAR, 2, from);
        revealAll(HONEST, 1, from);
        revealAll(LIAR, 2, from);
        Path memory path = pathTo(true, DEPTH, from);
        bytes32[] memory words = siblings(1, from, from - 1);
        tournament.padded(right, wrong, path, rootOf(1), words);
        count("padded");
        vm.assertTrue(rollup.statusOf(wrong) == Status.Rejected);
    }

    /// @dev A rival that does not make its last reveal.
    function test_silentRival_gas() external {
        uint256 right = propose(HONEST, 1, LIE_AT);
        uint256 wrong = propose(LIAR, 2, LIE_AT);
        revealAll(HONEST, 1, LIE_AT);
        for (uint256 level; level < 24; level += 6) {
            uint256 first = (LIE_AT >> (DEPTH - level)) << 6;
            bytes32[] memory children = new bytes32[](64);
            for (uint256 i; i < 64; ++i) {
                children[i] = node(2, LIE_AT, level + 6, first + i);
            }
            tournament.reveal(children);
        }
        vm.warp(block.timestamp + CLOCK + 1);
        tournament.timeOut(right, wrong, pathTo(true, 24, LIE_AT));
        count("timeOut");
        vm.assertTrue(rollup.statusOf(wrong) == Status.Rejected);
    }
}
