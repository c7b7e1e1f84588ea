// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Portal } from "../../src/L1/Portal.sol";
import { PortalConfig, WithdrawalTransaction } from "../../src/interfaces/IPortal.sol";
import { IRollup, OutputRootProof } from "../../src/interfaces/IRollup.sol";
import { RollupFixture } from "./RollupFixture.sol";
import { Tries } from "./Tries.sol";

/// @title WithdrawalFixture
/// @notice A portal and a rollup whose outputs hold the withdrawals that a test sets.
abstract contract WithdrawalFixture is RollupFixture {
    uint64 internal constant PAUSE_MAX = 6 hours;
    address internal immutable GUARDIAN = account("guardian");
    address internal immutable USER = account("user");
    address internal immutable RECIPIENT = account("recipient");

    Portal internal portal;

    /// @dev The preimage of each output's root.
    mapping(uint256 index => OutputRootProof) private _proofOf;
    mapping(uint256 index => bytes32[]) private _keysOf;
    uint256 private _nonce;

    function setUp() public virtual override {
        super.setUp();
        portal = new Portal(
            PortalConfig({ rollup: IRollup(address(rollup)), guardian: GUARDIAN, pauseMax: PAUSE_MAX })
        );
        vm.deal(USER, 1000 ether);
        vm.deal(address(portal), 100 ether);
    }

    /// @dev A withdrawal with the next nonce.
    function newWithdrawal(address sender, address target, uint256 value, uint256 gasLimit, bytes memory data)
        internal
        returns (WithdrawalTransaction memory)
    {
        return WithdrawalTransaction({
            nonce: 1 << 240 | _nonce++,
            sender: sender,
            target: target,
            value: value,
            gasLimit: gasLimit,
            data: data
        });
    }

    function hashOf(WithdrawalTransaction memory w) internal pure returns (bytes32) {
        return keccak256(abi.encode(w.nonce, w.sender, w.target, w.value, w.gasLimit, w.data));
    }

    function keyOf(WithdrawalTransaction memory w) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(abi.encode(hashOf(w), uint256(0)))));
    }

    /// @dev Proposes, on `parentIndex`, an output after `entries` more entries that holds these withdrawals.
    function proposeHolding(uint256 parentIndex, uint64 entries, bytes32[] memory keys)
        internal
        returns (uint256 index)
    {
        uint64 entry = rollup.output(parentIndex).entry + entries;
        uint64 l2BlockNumber = rollup.output(parentIndex).l2BlockNumber + entries;
        string memory salt = vm.toString(rollup.outputCount());
        Proposal memory p = proposalOn(parentIndex, entry, l2BlockNumber, salt);
        p.proof.messagePasserStorageRoot = Tries.root(keys);
        index = propose(p);
        _proofOf[index] = p.proof;
        _keysOf[index] = keys;
    }

    function proposeHolding(uint256 parentIndex, WithdrawalTransaction memory w) internal returns (uint256) {
        return proposeHolding(parentIndex, 1, keysWith(w));
    }

    /// @dev The storage key of `w` and some others.
    function keysWith(WithdrawalTransaction memory w) internal pure returns (bytes32[] memory keys) {
        keys = new bytes32[](5);
        keys[0] = keyOf(w);
        for (uint256 i = 1; i < keys.length; ++i) {
            keys[i] = keccak256(abi.encode("other", i));
        }
    }

    function outputProof(uint256 index) internal view returns (OutputRootProof memory) {
        return _proofOf[index];
    }

    function storageProof(uint256 index, WithdrawalTransaction memory w)
        internal
        view
        returns (bytes[] memory)
    {
        return Tries.prove(_keysOf[index], keyOf(w));
    }

    function prove(WithdrawalTransaction memory w, uint256 index) internal {
        portal.proveWithdrawalTransaction(w, index, outputProof(index), storageProof(index, w));
    }

    function proveReverts(bytes memory reason, WithdrawalTransaction memory w, uint256 index) internal {
        OutputRootProof memory proof = outputProof(index);
        bytes[] memory nodes = storageProof(index, w);
        vm.expectRevert(reason);
        portal.proveWithdrawalTransaction(w, index, proof, nodes);
    }

    /// @dev Proposes an output with the withdrawal, proves it and waits until the window is over.
    function proveAndWait(WithdrawalTransaction memory w) internal returns (uint256 index) {
        index = proposeHolding(0, w);
        prove(w, index);
        vm.warp(block.timestamp + WINDOW);
    }
}
