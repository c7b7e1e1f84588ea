// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Entry, IInbox } from "../../../src/interfaces/IInbox.sol";
import { LocalInputs } from "../../../src/interfaces/IPreimageOracle.sol";
import { OutputRootProof } from "../../../src/interfaces/IRollup.sol";
import { OutputHash } from "../../../src/lib/OutputHash.sol";
import { DisputeV2 } from "../../../src/v2/DisputeV2.sol";
import { Programs } from "../../../src/v2/Programs.sol";
import { RollupV2 } from "../../../src/v2/RollupV2.sol";
import { Tournament } from "../../../src/v2/Tournament.sol";
import { GameStatus, IDisputeV2, Opening, StakeStatus } from "../../../src/v2/interfaces/IDisputeV2.sol";
import { ProgramsConfig } from "../../../src/v2/interfaces/IPrograms.sol";
import { Output, Proposal, RollupConfig, Status } from "../../../src/v2/interfaces/IRollupV2.sol";
import { TournamentConfig } from "../../../src/v2/interfaces/ITournament.sol";
import { Bisection, BisectionLibV2 } from "../../../src/v2/lib/BisectionLibV2.sol";
import { HistoryLib, Path } from "../../../src/v2/lib/HistoryLib.sol";
import { FakeMachine } from "../../utils/FakeMachine.sol";
import { Headers } from "../../utils/Headers.sol";
import { Test } from "../../utils/Test.sol";
import { TimedInbox } from "./TimedInbox.sol";

/// @notice What a player claims: right up to some leaf and false from there on.
struct Belief {
    /// First false leaf of the history; no leaf of the history if it is right everywhere.
    uint64 fromLeaf;
    /// First false state of the machine in that block, at least 1.
    uint64 fromStep;
    /// Seed of the false claims.
    bytes32 salt;
}

/// @title DisputeV2Fixture
/// @notice Right and wrong children of a made-up chain, and players who derive their calls from their beliefs.
abstract contract DisputeV2Fixture is Test {
    uint64 internal constant WINDOW = 7 days;
    uint64 internal constant CLOCK = 3.5 days;
    uint64 internal constant INCREMENT = 30 minutes;
    uint64 internal constant INTERVAL = 12 hours;
    /// @dev With 16 blocks an entry, 5 entries have 80 positions, so a history of depth 7 with 48 leaves of padding.
    uint64 internal constant BLOCKS = 16;
    uint64 internal constant ENTRIES_MAX = 8;
    uint64 internal constant ENTRIES = 5;
    uint256 internal constant BOND = 2 ether + 3;
    uint256 internal constant STAKE = 4 ether + 1;
    uint64 internal constant NOTICE = 30 days;
    uint64 internal constant ESCAPE_AFTER = 60 days;
    uint64 internal constant NEVER = type(uint64).max;
    bytes32 internal constant GENESIS_ROOT = keccak256("genesis output root");
    bytes32 internal constant PROGRAM = keccak256("program");

    address internal immutable HONEST = account("honest");
    address internal immutable LIAR = account("liar");
    address internal immutable PUPPET = account("puppet");
    address internal immutable ANYONE = account("anyone");
    address internal immutable ADMIN = account("admin");

    TimedInbox internal inbox;
    FakeMachine internal run;
    RollupV2 internal rollup;
    Tournament internal tournament;
    Programs internal programs;
    DisputeV2 internal dispute;

    /// @dev Nodes of each output's history; the node `index` at a depth is at 2^depth + index.
    mapping(uint256 output => bytes32[]) internal trees;
    mapping(uint256 output => Belief) internal beliefs;

    function setUp() public virtual {
        vm.warp(START_TIME);
        inbox = new TimedInbox();
        run = new FakeMachine(BLOCKS);
        deploy(groupSize());
        for (uint256 i; i < 4; ++i) {
            vm.deal([HONEST, LIAR, PUPPET, ANYONE][i], 100_000 ether);
        }
        for (uint64 i = 1; i <= ENTRIES; ++i) {
            vm.warp(START_TIME + i);
            inbox.append(uint64(block.timestamp));
        }
        vm.warp(START_TIME + INTERVAL + 1);
    }

    function groupSize() internal pure virtual returns (uint64) {
        return 4;
    }

    function rollupConfig() internal pure returns (RollupConfig memory) {
        return RollupConfig({
            challengeWindow: WINDOW,
            gameClock: CLOCK,
            outputInterval: INTERVAL,
            entriesPerOutputMax: ENTRIES_MAX,
            blocksPerEntryMax: BLOCKS,
            proposerBond: BOND
        });
    }

    function programsConfig() internal view returns (ProgramsConfig memory) {
        return ProgramsConfig({ admin: ADMIN, notice: NOTICE, escapeAfter: ESCAPE_AFTER });
    }

    /// @dev The four contracts know each other's addresses.
    function deploy(uint64 groupSize_) internal {
        uint256 nonce = vm.getNonce(address(this));
        address tournamentAt = vm.computeCreateAddress(address(this), nonce + 1);
        address programsAt = vm.computeCreateAddress(address(this), nonce + 2);
        address disputeAt = vm.computeCreateAddress(address(this), nonce + 3);
        rollup = new RollupV2(IInbox(address(inbox)), tournamentAt, programsAt, GENESIS_ROOT, rollupConfig());
        tournament = new Tournament(
            rollup,
            IDisputeV2(disputeAt),
            TournamentConfig({ groupSize: groupSize_, gameIncrement: INCREMENT })
        );
        programs = new Programs(rollup, PROGRAM, programsConfig());
        dispute = new DisputeV2(tournament, run, STAKE);
    }

    // --- beliefs

    function truth() internal pure returns (Belief memory) {
        return Belief({ fromLeaf: NEVER, fromStep: 0, salt: 0 });
    }

    /// @dev False from a leaf on, and in the machine's run on that block from step 3,000 on.
    function lie(uint64 fromLeaf, string memory salt) internal pure returns (Belief memory) {
        return Belief({ fromLeaf: fromLeaf, fromStep: 3000, salt: keccak256(bytes(salt)) });
    }

    /// @dev The root after a block that a belief claims.
    function rootAfter(Belief memory belief, uint64 parentEntry, uint64 leaf, uint64 positions)
        internal
        view
        returns (bytes32)
    {
        bool isLast = leaf + 1 == 1 << HistoryLib.depthOf(positions);
        if (leaf >= positions && (leaf < belief.fromLeaf || belief.fromLeaf < positions)) {
            leaf = positions - 1;
        }
        if (leaf >= belief.fromLeaf) {
            bool isOutput = isLast || leaf == positions - 1;
            return isOutput
                ? OutputHash.root(outputProof(belief, positions / BLOCKS + parentEntry))
                : keccak256(abi.encode(belief.salt, leaf));
        }
        return trueRoot(parentEntry, leaf);
    }

    function trueRoot(uint64 parentEntry, uint64 leaf) internal view returns (bytes32) {
        bytes32 acc = inbox.acc(parentEntry + 1 + leaf / BLOCKS);
        // A block that fails changes nothing.
        if (run.exitCode(acc, leaf % BLOCKS) == 0) return run.rootAfter(acc, leaf % BLOCKS);
        return leaf == 0 ? GENESIS_ROOT : trueRoot(parentEntry, leaf - 1);
    }

    /// @dev The preimage of the output root that a belief claims after an entry.
    function outputProof(Belief memory belief, uint64 entry) internal pure returns (OutputRootProof memory) {
        bytes memory header = headerOf(belief, entry);
        bytes32 stateRoot = keccak256(abi.encode("state", belief.salt, entry));
        return OutputRootProof({
            version: bytes32(0),
            stateRoot: stateRoot,
            messagePasserStorageRoot: keccak256(abi.encode("messages", belief.salt, entry)),
            latestBlockhash: keccak256(header)
        });
    }

    function headerOf(Belief memory belief, uint64 entry) internal pure returns (bytes memory) {
        bytes32 stateRoot = keccak256(abi.encode("state", belief.salt, entry));
        return Headers.encode(stateRoot, Headers.encodeNumber(entry), keccak256(abi.encode(belief.salt)));
    }

    /// @dev All nodes of the history that a belief claims.
    function treeOf(Belief memory belief, uint64 parentEntry, uint64 entry)
        internal
        view
        returns (bytes32[] memory nodes)
    {
        uint64 positions = (entry - parentEntry) * BLOCKS;
        uint256 count = 1 << HistoryLib.depthOf(positions);
        nodes = new bytes32[](2 * count);
        for (uint64 leaf; leaf < count; ++leaf) {
            nodes[count + leaf] = rootAfter(belief, parentEntry, leaf, positions);
        }
        for (uint256 i = count - 1; i != 0; --i) {
            nodes[i] = keccak256(abi.encode(nodes[2 * i], nodes[2 * i + 1]));
        }
    }

    // --- outputs

    /// @dev The last entry of a parent's children, now.
    function entryAfter(uint256 parentIndex) internal view returns (uint64 entry) {
        Output memory parent = rollup.output(parentIndex);
        entry = parent.entry + 1;
        uint64 until = parent.proposedAt + INTERVAL;
        while (
            entry + 1 < inbox.entryCount() && entry < parent.entry + ENTRIES_MAX
                && inbox.entryAt(entry + 1).l1Time <= until
        ) ++entry;
    }

    function proposalOf(uint256 parentIndex, Belief memory belief)
        internal
        view
        returns (Proposal memory proposal, bytes32[] memory nodes)
    {
        Output memory parent = rollup.output(parentIndex);
        uint64 entry = entryAfter(parentIndex);
        proposal.parentIndex = parentIndex;
        proposal.parentClaim = parent.claim;
        proposal.entry = entry;
        proposal.expectedAcc = inbox.acc(entry);
        nodes = treeOf(belief, parent.entry, entry);
        proposal.history = nodes[1];
        proposal.siblings = siblings(nodes, nodes.length / 2 - 1);
        bool hasNext = entry + 1 < inbox.entryCount() && entry < parent.entry + ENTRIES_MAX;
        proposal.rangeProof = new Entry[](hasNext ? 2 : 1);
        proposal.rangeProof[0] = inbox.entryAt(entry);
        if (hasNext) proposal.rangeProof[1] = inbox.entryAt(entry + 1);
        // The output's preimage is the true one unless the last leaf is false.
        Belief memory told = belief.fromLeaf < nodes.length / 2 ? belief : truth();
        proposal.outputProof = outputProof(told, entry);
        proposal.header = headerOf(told, entry);
    }

    /// @dev The true output root after each entry is that of its true preimage.
    function setRoots() internal {
        for (uint64 entry = 1; entry < inbox.entryCount(); ++entry) {
            run.set(inbox.acc(entry), OutputHash.root(outputProof(truth(), entry)));
        }
    }

    function propose(address who, uint256 parentIndex, Belief memory belief)
        internal
        returns (uint256 index)
    {
        setRoots();
        (Proposal memory proposal, bytes32[] memory nodes) = proposalOf(parentIndex, belief);
        vm.prank(who);
        index = rollup.propose{ value: BOND }(proposal);
        trees[index] = nodes;
        beliefs[index] = belief;
    }

    /// @dev Claims a history in which every leaf is the root of the proposal's output.
    function repeatRoot(Proposal memory proposal) internal pure {
        bytes32 root = OutputHash.root(proposal.outputProof);
        for (uint256 i; i < proposal.siblings.length; ++i) {
            proposal.siblings[i] = root;
            root = keccak256(abi.encode(root, root));
        }
        proposal.history = root;
    }

    // --- histories

    function siblings(bytes32[] memory nodes, uint256 leaf) internal pure returns (bytes32[] memory words) {
        uint256 node = nodes.length / 2 + leaf;
        words = new bytes32[](HistoryLib.depthOf(nodes.length / 2));
        for (uint256 i; i < words.length; ++i) {
            words[i] = nodes[node ^ 1];
            node /= 2;
        }
    }

    function depthOf(uint256 index) internal view returns (uint256) {
        return HistoryLib.depthOf(trees[index].length / 2);
    }

    /// @dev The path to the first difference of two histories at a depth.
    function pathAt(uint256 x, uint256 y, uint256 depth) internal view returns (Path memory path) {
        (bytes32[] memory a, bytes32[] memory b) = (trees[x], trees[y]);
        uint256 node = 1;
        for (uint256 level; level < depth; ++level) {
            node = a[2 * node] == b[2 * node] ? 2 * node + 1 : 2 * node;
        }
        (path.depth, path.index) = (depth, node - (1 << depth));
        (path.nodeX, path.nodeY) = (a[node], b[node]);
        bytes32[] memory words = new bytes32[](2 * depth);
        uint256 used;
        for (; node > 1; node /= 2) {
            words[used++] = a[node ^ 1];
            if (node & 1 == 0) words[used++] = b[node ^ 1];
        }
        path.words = new bytes32[](used);
        for (uint256 i; i < used; ++i) {
            path.words[i] = words[i];
        }
    }

    function leafPath(uint256 x, uint256 y) internal view returns (Path memory) {
        return pathAt(x, y, depthOf(x));
    }

    // --- reveals

    /// @dev Reveals one side's node in question at a depth.
    function revealAt(address who, uint256 x, uint256 y, uint256 side, uint256 level) internal {
        uint256 depth = depthOf(side);
        uint256 width = HistoryLib.widthAt(level, depth);
        uint256 node = (1 << level) + pathAt(x, y, level).index;
        bytes32[] memory children = new bytes32[](1 << width);
        for (uint256 i; i < children.length; ++i) {
            children[i] = trees[side][(node << width) + i];
        }
        if (tournament.revealOf(trees[side][node], width).time != 0) return;
        vm.prank(who);
        tournament.reveal(children);
    }

    function revealSide(address who, uint256 x, uint256 y, uint256 side) internal {
        for (uint256 level; level < depthOf(side); level += HistoryLib.REVEAL_WIDTH) {
            revealAt(who, x, y, side, level);
        }
    }

    function revealBoth(uint256 x, uint256 y) internal {
        revealSide(ANYONE, x, y, x);
        revealSide(ANYONE, x, y, y);
    }

    // --- games

    function idOf(uint256 index) internal view returns (uint256) {
        return rollup.contender(index).tournament;
    }

    function localInputs(uint256 x, uint64 leaf, bytes32 before)
        internal
        view
        returns (LocalInputs memory local)
    {
        uint64 parentEntry = rollup.output(rollup.output(x).parentIndex).entry;
        local.chainConfig = inbox.chainConfigHash();
        local.outputRoot = before;
        local.inboxAcc = inbox.acc(parentEntry + 1 + leaf / BLOCKS);
        local.blockIndex = leaf % BLOCKS;
    }

    /// @dev The machine's state that a belief claims after `steps`, at least 1.
    function stateAt(Belief memory belief, uint256 x, uint64 leaf, bytes32 before, uint64 steps)
        internal
        view
        returns (bytes memory)
    {
        LocalInputs memory local = localInputs(x, leaf, before);
        bool lies = belief.fromLeaf == leaf && steps >= belief.fromStep;
        if (!lies) return run.stateAt(local, steps);
        bytes32 memoryRoot = keccak256(abi.encode(belief.salt, steps < 5000 ? steps : 5000));
        if (steps < 5000) return run.encode(memoryRoot, 0, false, 0, steps);
        uint64 parentEntry = rollup.output(rollup.output(x).parentIndex).entry;
        uint64 positions = (rollup.output(x).entry - parentEntry) * BLOCKS;
        bytes32 root = rootAfter(belief, parentEntry, leaf, positions);
        return run.encode(memoryRoot, root, true, 0, 5000);
    }

    function claimsOf(
        Belief memory belief,
        uint256 x,
        uint64 leaf,
        bytes32 before,
        uint64 first,
        uint64 steps
    ) internal view returns (bytes32[] memory claims) {
        claims = new bytes32[](32);
        for (uint64 i; i < 32; ++i) {
            claims[i] = keccak256(stateAt(belief, x, leaf, before, first + (i + 1) * (steps / 32)));
        }
    }

    /// @dev What an accuser of x says, who claims what y claims.
    function openingOf(uint256 x, uint256 y) internal view returns (Opening memory opening) {
        return openingOf(x, y, beliefs[y]);
    }

    function openingOf(uint256 x, uint256 y, Belief memory belief)
        internal
        view
        returns (Opening memory opening)
    {
        uint64 leaf = uint64(leafPath(x, y).index);
        if (leaf == 0) {
            opening.before = rollup.output(rollup.output(x).parentIndex).outputRoot;
        } else {
            opening.before = trees[x][trees[x].length / 2 + leaf - 1];
            opening.beforeSiblings = siblings(trees[x], leaf - 1);
        }
        uint64 steps = BisectionLibV2.STEPS;
        opening.claims = claimsOf(belief, x, leaf, opening.before, 0, steps);
        opening.finalState = stateAt(belief, x, leaf, opening.before, steps);
    }

    /// @dev The bisection of an accusation.
    function accusationOf(uint256 x, uint256 y, Opening memory opening)
        internal
        view
        returns (Bisection memory)
    {
        uint64 leaf = uint64(leafPath(x, y).index);
        return Bisection({
            answered: keccak256(abi.encode(rollup.output(x).claim, rollup.output(y).claim, leaf)),
            leaf: leaf,
            before: opening.before,
            first: 0,
            steps: BisectionLibV2.STEPS,
            start: PROGRAM,
            claims: opening.claims
        });
    }

    /// @dev The ether that an account has to send with an accusation or an answer.
    function due(uint256 index, address who) internal view returns (uint256) {
        return dispute.stakeOf(idOf(index), who).status == StakeStatus.None ? STAKE : 0;
    }

    function accuse(address who, uint256 x, uint256 y)
        internal
        returns (uint256 accusation, Bisection memory bisection)
    {
        Path memory path = leafPath(x, y);
        Opening memory opening = openingOf(x, y);
        uint256 value = due(x, who);
        vm.prank(who);
        accusation = dispute.accuse{ value: value }(x, y, path, opening);
        bisection = accusationOf(x, y, opening);
    }

    /// @dev The first segment whose end contradicts a belief, and the claims within it. No claims for a single step.
    function answerTo(Belief memory belief, uint256 x, Bisection memory bisection)
        internal
        view
        returns (uint64 segment, bytes32[] memory claims, uint64 first)
    {
        uint64 steps = bisection.steps / 32;
        bytes32[] memory own =
            claimsOf(belief, x, bisection.leaf, bisection.before, bisection.first, bisection.steps);
        while (own[segment] == bisection.claims[segment]) ++segment;
        first = bisection.first + segment * steps;
        if (steps > 1) claims = claimsOf(belief, x, bisection.leaf, bisection.before, first, steps);
    }

    /// @dev The bisection that an answer becomes.
    function divided(Bisection memory answered, uint64 segment, bytes32[] memory claims)
        internal
        pure
        returns (Bisection memory)
    {
        uint64 steps = answered.steps / 32;
        return Bisection({
            answered: keccak256(abi.encode(answered)),
            leaf: answered.leaf,
            before: answered.before,
            first: answered.first + segment * steps,
            steps: steps,
            start: segment == 0 ? answered.start : answered.claims[segment - 1],
            claims: claims
        });
    }

    function answer(address who, uint256 accusation, Bisection memory answered, Belief memory belief)
        internal
        returns (uint256 game, Bisection memory bisection)
    {
        uint256 x = dispute.accusationAt(accusation).x;
        (uint64 segment, bytes32[] memory claims,) = answerTo(belief, x, answered);
        uint256 value = due(x, who);
        vm.prank(who);
        game = dispute.answer{ value: value }(accusation, answered, segment, claims);
        bisection = divided(answered, segment, claims);
    }

    /// @dev Makes the move that follows from a belief, or proves the step.
    function play(uint256 game, Bisection memory answered, Belief memory belief)
        internal
        returns (Bisection memory bisection)
    {
        uint256 x = dispute.accusationAt(dispute.gameAt(game).accusation).x;
        (uint64 segment, bytes32[] memory claims, uint64 first) = answerTo(belief, x, answered);
        if (claims.length != 0) {
            vm.prank(moverOf(game));
            dispute.move(game, answered, segment, claims);
            return divided(answered, segment, claims);
        }
        bytes memory state = stateAt(belief, x, answered.leaf, answered.before, first);
        vm.prank(moverOf(game));
        dispute.prove(game, answered, segment, state, "");
    }

    function moverOf(uint256 game) internal view returns (address) {
        bool isAccuser = dispute.gameAt(game).status == GameStatus.AccuserToMove;
        return isAccuser
            ? dispute.accusationAt(dispute.gameAt(game).accusation).accuser
            : dispute.gameAt(game).defender;
    }

    /// @dev Plays a game in which both sides follow their beliefs until one cannot go on.
    function playOut(uint256 game, Bisection memory bisection, Belief memory accuser, Belief memory defender)
        internal
    {
        while (
            dispute.gameAt(game).status == GameStatus.AccuserToMove
                || dispute.gameAt(game).status == GameStatus.DefenderToMove
        ) {
            bool isAccuser = dispute.gameAt(game).status == GameStatus.AccuserToMove;
            Belief memory belief = isAccuser ? accuser : defender;
            if (bisection.steps == 32 && !isHonest(belief, bisection)) {
                vm.warp(block.timestamp + CLOCK + 1);
                vm.prank(ANYONE);
                dispute.timeOutGame(game);
            } else {
                bisection = play(game, bisection, belief);
            }
        }
    }

    /// @dev Whether a belief is right about the disputed block.
    function isHonest(Belief memory belief, Bisection memory bisection) private pure returns (bool) {
        return belief.fromLeaf != bisection.leaf;
    }

    function status(uint256 index) internal view returns (Status) {
        return rollup.statusOf(index);
    }

    function assertStatus(uint256 index, Status expected) internal view {
        vm.assertEq(uint256(rollup.statusOf(index)), uint256(expected));
    }
}
