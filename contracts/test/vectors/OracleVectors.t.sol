// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { PreimageOracle } from "../../src/L1/PreimageOracle.sol";
import { LocalInputs } from "../../src/interfaces/IPreimageOracle.sol";
import { Test } from "../utils/Test.sol";

/// @title OracleVectorsTest
/// @notice The contract against crates/protocol/vectors/oracle.json, which contracts/vectors.mjs makes without it.
contract OracleVectorsTest is Test {
    PreimageOracle private immutable ORACLE = new PreimageOracle();

    function test_localInputs() public view {
        string memory json = readVectors("oracle");
        LocalInputs memory local = LocalInputs({
            chainConfig: hashAt(json, ".local", "chainConfig"),
            outputRoot: hashAt(json, ".local", "outputRoot"),
            inboxAcc: hashAt(json, ".local", "inboxAcc"),
            blockIndex: uint64At(json, ".local", "blockIndex"),
            dataMissing: uint64At(json, ".local", "dataMissing") == 1
        });
        uint256 count = lengthOf(json, "locals");
        vm.assertEq(count, 5);
        for (uint256 i; i < count; ++i) {
            string memory path = item("locals", i);
            (bytes32 word, uint64 len) = ORACLE.read(hashAt(json, path, "key"), 0, local);
            vm.assertEq(word, hashAt(json, path, "word"));
            vm.assertEq(len, 32);
        }
    }

    function test_keccakPreimages() public {
        string memory json = readVectors("oracle");
        uint256 count = lengthOf(json, "keccak");
        vm.assertEq(count, 6);
        for (uint256 i; i < count; ++i) {
            string memory path = item("keccak", i);
            bytes memory preimage = bytesAt(json, path, "preimage");
            uint256 parts = partsOf(json, path);
            for (uint256 part; part < parts; ++part) {
                bytes32 key = ORACLE.loadKeccak(uintAt(json, partPath(path, part), "offset"), preimage);
                checkPart(json, path, part, key);
            }
        }
    }

    function test_precompileCalls() public {
        string memory json = readVectors("oracle");
        uint256 count = lengthOf(json, "calls");
        vm.assertEq(count, 7);
        for (uint256 i; i < count; ++i) {
            string memory path = item("calls", i);
            uint256 parts = partsOf(json, path);
            for (uint256 part; part < parts; ++part) {
                uint256 offset = uintAt(json, partPath(path, part), "offset");
                address precompile = addressAt(json, path, "address");
                bytes memory input = bytesAt(json, path, "input");
                // Failing precompiles use up all gas.
                checkPart(
                    json, path, part, ORACLE.loadPrecompile{ gas: 1_000_000 }(offset, precompile, input)
                );
            }
        }
    }

    function test_blobElements() public {
        string memory json = readVectors("oracle");
        bytes memory commitment = bytesAt(json, ".blob", "commitment");
        bytes memory proof = bytesAt(json, ".blob", "proof");
        bytes32 versionedHash = hashAt(json, ".blob", "versionedHash");
        uint256 count = lengthOf(json, "blob.elements");
        vm.assertEq(count, 10);
        LocalInputs memory local;
        for (uint256 i; i < count; ++i) {
            string memory path = item("blob.elements", i);
            bytes32 element = hashAt(json, path, "element");
            uint256 index = uintAt(json, path, "index");
            bytes32 key = ORACLE.loadBlobElement(versionedHash, index, element, commitment, proof);
            vm.assertEq(key, hashAt(json, ".blob", "key"));
            (bytes32 word, uint64 len) = ORACLE.read(key, 32 * index, local);
            vm.assertEq(word, element);
            vm.assertEq(len, 131_072);
        }
    }

    function checkPart(string memory json, string memory path, uint256 part, bytes32 key) private view {
        LocalInputs memory local;
        vm.assertEq(key, hashAt(json, path, "key"));
        (bytes32 word, uint64 len) = ORACLE.read(key, uintAt(json, partPath(path, part), "offset"), local);
        vm.assertEq(word, hashAt(json, partPath(path, part), "word"));
        vm.assertEq(len, uint64At(json, path, "length"));
    }

    function partsOf(string memory json, string memory path) private view returns (uint256 parts) {
        while (vm.keyExistsJson(json, partPath(path, parts))) ++parts;
        vm.assertGt(parts, 0);
    }

    function partPath(string memory path, uint256 part) private pure returns (string memory) {
        return string.concat(path, ".parts[", vm.toString(part), "]");
    }
}
