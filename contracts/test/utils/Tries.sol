// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Tries
/// @notice Builds Merkle-Patricia tries with the value `true` at hashed keys, and inclusion proofs.
/// @dev Takes quadratic time, so it is for a handful of keys. It builds no nodes below 32 bytes, which need
///      keys with many common nibbles; the vectors have such nodes.
library Tries {
    /// @dev The root of a trie with these keys.
    function root(bytes32[] memory keys) internal pure returns (bytes32) {
        if (keys.length == 0) return keccak256(hex"80");
        return keccak256(build(keys, 0));
    }

    /// @dev The nodes from the root to the leaf of `key`, which is one of the keys.
    function prove(bytes32[] memory keys, bytes32 key) internal pure returns (bytes[] memory proof) {
        proof = new bytes[](0);
        uint256 depth;
        bytes32[] memory rest = keys;
        for (;;) {
            proof = append(proof, build(rest, depth));
            if (rest.length == 1) return proof;
            uint256 shared = sharedEnd(rest, depth);
            if (shared != depth) {
                depth = shared;
                continue;
            }
            rest = below(rest, depth, nibble(key, depth));
            depth += 1;
        }
    }

    /// @dev The node of keys that share their first `depth` nibbles.
    function build(bytes32[] memory keys, uint256 depth) internal pure returns (bytes memory) {
        if (keys.length == 1) {
            return list(abi.encodePacked(str(path(keys[0], depth, 64, 2)), hex"01"));
        }
        uint256 shared = sharedEnd(keys, depth);
        if (shared != depth) {
            bytes memory way = str(path(keys[0], depth, shared, 0));
            return list(abi.encodePacked(way, hex"a0", keccak256(build(keys, shared))));
        }
        bytes memory children;
        for (uint256 i; i < 16; ++i) {
            bytes32[] memory some = below(keys, depth, i);
            children = some.length == 0
                ? abi.encodePacked(children, hex"80")
                : abi.encodePacked(children, hex"a0", keccak256(build(some, depth + 1)));
        }
        return list(abi.encodePacked(children, hex"80"));
    }

    /// @dev Compact encoding of the key's nibbles from `from` to `to`.
    function path(bytes32 key, uint256 from, uint256 to, uint256 flag)
        internal
        pure
        returns (bytes memory out)
    {
        bool odd = (to - from) % 2 == 1;
        out = new bytes((to - from) / 2 + 1);
        out[0] = bytes1(uint8((odd ? flag + 1 : flag) << 4));
        uint256 next = odd ? 1 : 2;
        for (uint256 i = from; i < to; ++i) {
            uint256 value = nibble(key, i);
            out[next / 2] |= bytes1(uint8(next % 2 == 0 ? value << 4 : value));
            ++next;
        }
    }

    function sharedEnd(bytes32[] memory keys, uint256 depth) private pure returns (uint256 end) {
        for (end = depth; end < 64; ++end) {
            for (uint256 i = 1; i < keys.length; ++i) {
                if (nibble(keys[i], end) != nibble(keys[0], end)) return end;
            }
        }
    }

    function below(bytes32[] memory keys, uint256 depth, uint256 value)
        private
        pure
        returns (bytes32[] memory some)
    {
        uint256 count;
        some = new bytes32[](keys.length);
        for (uint256 i; i < keys.length; ++i) {
            if (nibble(keys[i], depth) == value) some[count++] = keys[i];
        }
        assembly ("memory-safe") {
            mstore(some, count)
        }
    }

    function append(bytes[] memory nodes, bytes memory node) private pure returns (bytes[] memory more) {
        more = new bytes[](nodes.length + 1);
        for (uint256 i; i < nodes.length; ++i) {
            more[i] = nodes[i];
        }
        more[nodes.length] = node;
    }

    function nibble(bytes32 key, uint256 i) internal pure returns (uint256) {
        return uint256(key) >> (252 - 4 * i) & 0xf;
    }

    /// @dev RLP of a string of at most 55 bytes.
    function str(bytes memory data) internal pure returns (bytes memory) {
        if (data.length == 1 && uint8(data[0]) < 0x80) return data;
        return abi.encodePacked(uint8(0x80 + data.length), data);
    }

    /// @dev RLP of a list of encoded items.
    function list(bytes memory items) internal pure returns (bytes memory) {
        if (items.length < 56) return abi.encodePacked(uint8(0xc0 + items.length), items);
        if (items.length < 256) return abi.encodePacked(uint8(0xf8), uint8(items.length), items);
        return abi.encodePacked(uint8(0xf9), uint16(items.length), items);
    }
}
