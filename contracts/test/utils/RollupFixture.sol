// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Rollup } from "../../src/L1/Rollup.sol";
import { IInbox } from "../../src/interfaces/IInbox.sol";
import { OutputRootProof, RollupConfig } from "../../src/interfaces/IRollup.sol";
import { FakeInbox } from "./Fakes.sol";
import { Headers } from "./Headers.sol";
import { Test } from "./Test.sol";

/// @title RollupFixture
/// @notice A rollup over an inbox in which every entry exists.
abstract contract RollupFixture is Test {
    bytes32 internal constant GENESIS_ROOT = keccak256("genesis output root");
    uint64 internal constant WINDOW = 1 days;
    uint64 internal constant ENTRIES_MAX = 10;
    uint256 internal constant PROPOSER_BOND = 3 ether;

    address internal immutable PROPOSER = account("proposer");
    /// @dev The account that acts as the dispute contract.
    address internal immutable DISPUTE = account("dispute");

    FakeInbox internal inbox;
    Rollup internal rollup;

    /// @dev The arguments of propose.
    struct Proposal {
        uint256 parentIndex;
        bytes32 parentClaim;
        uint64 entry;
        bytes32 acc;
        OutputRootProof proof;
        bytes header;
    }

    function setUp() public virtual {
        vm.warp(START_TIME);
        vm.roll(START_BLOCK);
        inbox = new FakeInbox();
        rollup = newRollup(defaultRollupConfig());
        vm.deal(PROPOSER, 1000 ether);
    }

    function defaultRollupConfig() internal pure returns (RollupConfig memory) {
        return RollupConfig({
            challengeWindow: WINDOW, entriesPerOutputMax: ENTRIES_MAX, proposerBond: PROPOSER_BOND
        });
    }

    function newRollup(RollupConfig memory config) internal virtual returns (Rollup) {
        return new Rollup(IInbox(address(inbox)), DISPUTE, GENESIS_ROOT, config);
    }

    /// @dev A valid proposal on `parentIndex`. `salt` determines its state.
    function proposalOn(uint256 parentIndex, uint64 entry, uint64 l2BlockNumber, string memory salt)
        internal
        view
        returns (Proposal memory proposal)
    {
        bytes32 stateRoot = keccak256(abi.encode("state", salt));
        proposal.parentIndex = parentIndex;
        proposal.parentClaim = rollup.output(parentIndex).claim;
        proposal.entry = entry;
        proposal.acc = inbox.acc(entry);
        proposal.header =
            Headers.encode(stateRoot, Headers.encodeNumber(l2BlockNumber), keccak256(bytes(salt)));
        proposal.proof = OutputRootProof({
            version: bytes32(0),
            stateRoot: stateRoot,
            messagePasserStorageRoot: keccak256(abi.encode("messages", salt)),
            latestBlockhash: keccak256(proposal.header)
        });
    }

    function propose(Proposal memory p) internal returns (uint256 index) {
        vm.prank(PROPOSER);
        index = rollup.propose{ value: PROPOSER_BOND }(
            p.parentIndex, p.parentClaim, p.entry, p.acc, p.proof, p.header
        );
    }

    function proposeReverts(bytes memory reason, Proposal memory p) internal {
        vm.expectRevert(reason);
        propose(p);
    }

    /// @dev Proposes on `parentIndex` with the next entry and block.
    function proposeOn(uint256 parentIndex, string memory salt) internal returns (uint256) {
        uint64 entry = rollup.output(parentIndex).entry + 1;
        uint64 l2BlockNumber = rollup.output(parentIndex).l2BlockNumber + 1;
        return propose(proposalOn(parentIndex, entry, l2BlockNumber, salt));
    }

    function challenge(uint256 index) internal {
        bytes32 claim = rollup.output(index).claim;
        vm.prank(DISPUTE);
        rollup.openChallenge(index, claim);
    }

    function uphold(uint256 index) internal {
        vm.prank(DISPUTE);
        rollup.upholdOutput(index);
    }

    function reject(uint256 index) internal {
        vm.prank(DISPUTE);
        rollup.rejectOutput(index);
    }
}
