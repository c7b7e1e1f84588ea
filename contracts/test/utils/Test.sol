// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Vm } from "./Vm.sol";

/// @title Test
/// @notice The base of every test: cheat codes, names for accounts, bounded fuzz inputs and the golden
///         vectors.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 internal constant START_TIME = 1_800_000_000;
    uint256 internal constant START_BLOCK = 1000;
    string private constant VECTORS = "../crates/protocol/vectors/";

    /// @dev An account with a key, named so that traces read well.
    function account(string memory name) internal pure returns (address) {
        return vm.addr(uint256(keccak256(bytes(name))));
    }

    /// @dev `value` folded into [min, max].
    function bound(uint256 value, uint256 min, uint256 max) internal pure returns (uint256) {
        if (value >= min && value <= max) return value;
        uint256 size = max - min + 1;
        return size == 0 ? value : min + value % size;
    }

    function bound64(uint256 value, uint256 min, uint256 max) internal pure returns (uint64) {
        return uint64(bound(value, min, max));
    }

    /// @dev Sets the blob base fee. The cheat code sets the excess blob gas, of which the fee is an
    ///      exponential function. A search finds the excess for a fee; every fee up to millions of wei has
    ///      one.
    function setBlobBaseFee(uint256 wei_) internal {
        uint256 low;
        uint256 high = 2 ** 28;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            vm.blobBaseFee(middle);
            if (block.blobbasefee < wei_) low = middle + 1;
            else high = middle;
        }
        vm.blobBaseFee(low);
        vm.assertEq(block.blobbasefee, wei_);
    }

    /// @dev The bytes that the vectors describe: byte[i] = i % 251.
    function pattern(uint256 length) internal pure returns (bytes memory data) {
        data = new bytes(length);
        for (uint256 i; i < length; ++i) {
            data[i] = bytes1(uint8(i % 251));
        }
    }

    function readVectors(string memory name) internal view returns (string memory) {
        return vm.readFile(string.concat(VECTORS, name, ".json"));
    }

    /// @dev JSON path of element `i` of `list`.
    function item(string memory list, uint256 i) internal pure returns (string memory) {
        return string.concat(".", list, "[", vm.toString(i), "]");
    }

    function lengthOf(string memory json, string memory list) internal view returns (uint256 length) {
        while (vm.keyExistsJson(json, item(list, length))) ++length;
    }

    function uintAt(string memory json, string memory path, string memory key)
        internal
        pure
        returns (uint256)
    {
        return vm.parseJsonUint(json, string.concat(path, ".", key));
    }

    function uint64At(string memory json, string memory path, string memory key)
        internal
        pure
        returns (uint64)
    {
        return uint64(uintAt(json, path, key));
    }

    function hashAt(string memory json, string memory path, string memory key)
        internal
        pure
        returns (bytes32)
    {
        return vm.parseJsonBytes32(json, string.concat(path, ".", key));
    }

    function bytesAt(string memory json, string memory path, string memory key)
        internal
        pure
        returns (bytes memory)
    {
        return vm.parseJsonBytes(json, string.concat(path, ".", key));
    }

    function addressAt(string memory json, string memory path, string memory key)
        internal
        pure
        returns (address)
    {
        return vm.parseJsonAddress(json, string.concat(path, ".", key));
    }
}
