// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { WithdrawalTransaction } from "../../src/interfaces/IPortal.sol";
import { MerkleTrie } from "../../src/lib/MerkleTrie.sol";
import { WithdrawalLib } from "../../src/lib/WithdrawalLib.sol";
import { Test } from "../utils/Test.sol";

/// @title WithdrawalVectorsTest
/// @notice The libraries against crates/protocol/vectors/withdrawals.json, which contracts/vectors.mjs makes without them.
contract WithdrawalVectorsTest is Test {
    function hash(WithdrawalTransaction calldata message) external pure returns (bytes32) {
        return WithdrawalLib.hash(message);
    }

    function get(bytes32 root, bytes32 key, bytes[] calldata proof) external pure returns (bytes memory) {
        return MerkleTrie.get(root, key, proof);
    }

    function nodesAt(string memory json, string memory path) private pure returns (bytes[] memory) {
        return vm.parseJsonBytesArray(json, string.concat(path, ".nodes"));
    }

    function test_messages() public view {
        string memory json = readVectors("withdrawals");
        uint256 count = lengthOf(json, "messages");
        vm.assertEq(count, 3);
        for (uint256 i; i < count; ++i) {
            string memory path = item("messages", i);
            bytes32 found = this.hash(
                WithdrawalTransaction({
                    nonce: uintAt(json, path, "nonce"),
                    sender: addressAt(json, path, "sender"),
                    target: addressAt(json, path, "target"),
                    value: uintAt(json, path, "value"),
                    gasLimit: uintAt(json, path, "gasLimit"),
                    data: bytesAt(json, path, "data")
                })
            );
            vm.assertEq(found, hashAt(json, path, "hash"));
            bytes32 slot = WithdrawalLib.storageSlot(found);
            vm.assertEq(slot, hashAt(json, path, "slot"));
            vm.assertEq(keccak256(abi.encode(slot)), hashAt(json, path, "key"));
        }
    }

    function test_proofs() public view {
        string memory json = readVectors("withdrawals");
        uint256 count = lengthOf(json, "proofs");
        vm.assertEq(count, 37);
        for (uint256 i; i < count; ++i) {
            string memory path = item("proofs", i);
            bytes memory value =
                this.get(hashAt(json, path, "root"), hashAt(json, path, "key"), nodesAt(json, path));
            vm.assertEq(value, bytesAt(json, path, "value"));
        }
    }

    /// @dev Malformed and tampered proofs, and proofs of absence.
    function test_refused() public view {
        string memory json = readVectors("withdrawals");
        uint256 count = lengthOf(json, "refused");
        vm.assertEq(count, 113);
        for (uint256 i; i < count; ++i) {
            string memory path = item("refused", i);
            bytes32 key = hashAt(json, path, "key");
            try this.get(hashAt(json, path, "root"), key, nodesAt(json, path)) {
                revert(vm.parseJsonString(json, string.concat(path, ".about")));
            } catch (bytes memory reason) {
                string memory expected = vm.parseJsonString(json, string.concat(path, ".error"));
                vm.assertEq(
                    uint256(uint32(bytes4(reason))),
                    uint256(uint32(selectorOf(expected))),
                    vm.parseJsonString(json, string.concat(path, ".about"))
                );
            }
        }
    }

    /// @dev A proof with a changed node never verifies another value.
    function testFuzz_tampered_showsNothing(uint256 node, uint256 position, uint8 change) public view {
        string memory json = readVectors("withdrawals");
        string memory path = item("proofs", 16);
        bytes[] memory nodes = nodesAt(json, path);
        bytes memory changed = nodes[node % nodes.length];
        if (change != 0) {
            changed[position % changed.length] ^= bytes1(change);
            bytes32 root = hashAt(json, path, "root");
            try this.get(root, hashAt(json, path, "key"), nodes) {
                revert("shown");
            } catch (bytes memory reason) {
                vm.assertEq(bytes32(bytes4(reason)), bytes32(MerkleTrie.MerkleTrie_WrongNode.selector));
            }
        }
    }

    /// @dev Random bytes as the root node: no key is ever verified, and nothing panics.
    function testFuzz_get_randomNode_isRefusedByName(bytes calldata node, bytes32 key) public view {
        bytes[] memory nodes = new bytes[](1);
        nodes[0] = node;
        try this.get(keccak256(node), key, nodes) {
            revert("shown");
        } catch (bytes memory reason) {
            bool named = bytes4(reason) == MerkleTrie.MerkleTrie_Malformed.selector
                || bytes4(reason) == MerkleTrie.MerkleTrie_KeyAbsent.selector
                || bytes4(reason) == MerkleTrie.MerkleTrie_ProofTooShort.selector;
            vm.assertTrue(named);
        }
    }

    function selectorOf(string memory name) private pure returns (bytes4) {
        bytes32 id = keccak256(bytes(name));
        if (id == keccak256("MerkleTrie_KeyAbsent")) return MerkleTrie.MerkleTrie_KeyAbsent.selector;
        if (id == keccak256("MerkleTrie_Malformed")) return MerkleTrie.MerkleTrie_Malformed.selector;
        if (id == keccak256("MerkleTrie_WrongNode")) return MerkleTrie.MerkleTrie_WrongNode.selector;
        if (id == keccak256("MerkleTrie_ProofTooShort")) return MerkleTrie.MerkleTrie_ProofTooShort.selector;
        if (id == keccak256("MerkleTrie_ProofTooLong")) return MerkleTrie.MerkleTrie_ProofTooLong.selector;
        revert(name);
    }
}
