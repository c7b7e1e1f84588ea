// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title MerkleTrie
/// @notice Verifies that a Merkle-Patricia trie holds a value at a key. The keys are hashes, as in Ethereum's
///         storage tries. It verifies inclusion only, never absence.
/// @dev A proof is the list of RLP nodes from the root down. A node shorter than 32 bytes is embedded in its
///      parent; the list may repeat it, as some tools do, or omit it, as eth_getProof does.
///
///      | node      | RLP items                                       |
///      |-----------|-------------------------------------------------|
///      | branch    | 16 children, one for each nibble; empty string  |
///      | extension | path, child                                     |
///      | leaf      | path, value                                     |
///
///      A child is a node's hash, an embedded node or the empty string. A path begins with one nibble of
///      flags: 2 for
///      a leaf, plus 1 if the path has an odd number of nibbles. For an even number, a zero nibble follows.
library MerkleTrie {
    /// @notice The proof ends before the key does.
    error MerkleTrie_ProofTooShort(uint256 nodes);
    /// @notice The proof goes on after the leaf.
    error MerkleTrie_ProofTooLong(uint256 used, uint256 nodes);
    /// @notice A node does not have the hash in its parent, or the root.
    error MerkleTrie_WrongNode(uint256 node);
    /// @notice A node is not a valid trie node.
    error MerkleTrie_Malformed(uint256 node);
    /// @notice The proof shows that the trie does not hold the key.
    error MerkleTrie_KeyAbsent();

    uint256 private constant KEY_NIBBLES = 64;
    uint256 private constant NIBBLE_BITS = 4;
    uint256 private constant NIBBLE_MASK = 0xf;
    uint256 private constant BYTE_BITS = 8;
    uint256 private constant HASH_BYTES = 32;
    uint256 private constant BRANCH_ITEMS = 17;
    uint256 private constant BRANCH_VALUE = 16;
    uint256 private constant PATH_ITEMS = 2;
    uint256 private constant FLAG_ODD = 1;
    uint256 private constant FLAG_LEAF = 2;
    uint256 private constant FLAGS_MAX = 3;

    /// @dev First RLP bytes of the empty string, of a hash, of long strings, of the empty list and of long
    ///      lists.
    uint256 private constant STRING = 0x80;
    uint256 private constant HASH_STRING = 0xa0;
    uint256 private constant LONG_STRING = 0xb8;
    uint256 private constant LIST = 0xc0;
    uint256 private constant LONG_LIST = 0xf8;
    uint256 private constant SHORT_BYTES_MAX = 55;
    /// @dev Maximum bytes of a length. Nodes are far shorter than 2^16 bytes.
    uint256 private constant LENGTH_BYTES_MAX = 2;

    /// @dev Offsets of a node's items, followed by the offset of the end.
    struct Items {
        uint256 count;
        uint256[BRANCH_ITEMS + 1] starts;
    }

    /// @notice The value at `key`, which is a hash. Reverts unless the proof shows the value.
    /// @dev Ends after at most 65 nodes, because each node but the last uses up nibbles of the key.
    function get(bytes32 root, bytes32 key, bytes[] calldata proof)
        internal
        pure
        returns (bytes memory value)
    {
        if (proof.length == 0) revert MerkleTrie_ProofTooShort(0);
        bytes calldata node = proof[0];
        if (keccak256(node) != root) revert MerkleTrie_WrongNode(0);
        uint256 used = 1;
        uint256 depth; // nibbles of the key that led here
        bool isLeaf;
        while (!isLeaf) {
            Items memory items = _items(node, used - 1);
            bytes calldata child;
            if (items.count == BRANCH_ITEMS) {
                child = _childOfBranch(node, items, key, depth, used - 1);
                depth += 1;
            } else {
                (isLeaf, depth) = _followPath(node, items, key, depth, used - 1);
                child = _item(node, items, 1);
            }
            if (isLeaf) value = _string(child, used - 1);
            else (node, used) = _open(child, proof, used);
        }
        if (used != proof.length) revert MerkleTrie_ProofTooLong(used, proof.length);
    }

    /// @dev The child of a branch on the path to the key. All keys have the same length, so no key ends at a
    ///      branch.
    function _childOfBranch(
        bytes calldata node,
        Items memory items,
        bytes32 key,
        uint256 depth,
        uint256 index
    ) private pure returns (bytes calldata) {
        bytes calldata value = _item(node, items, BRANCH_VALUE);
        bool hasValue = value.length != 1 || uint8(value[0]) != STRING;
        if (hasValue || depth == KEY_NIBBLES) revert MerkleTrie_Malformed(index);
        return _item(node, items, _nibble(key, depth));
    }

    /// @dev Follows the path of a leaf or an extension.
    function _followPath(bytes calldata node, Items memory items, bytes32 key, uint256 depth, uint256 index)
        private
        pure
        returns (bool isLeaf, uint256 newDepth)
    {
        if (items.count != PATH_ITEMS) revert MerkleTrie_Malformed(index);
        bytes calldata path = _string(_item(node, items, 0), index);
        if (path.length == 0 || path.length > HASH_BYTES + 1) revert MerkleTrie_Malformed(index);
        uint256 flags = uint8(path[0]) >> NIBBLE_BITS;
        isLeaf = flags & FLAG_LEAF != 0;
        bool isOdd = flags & FLAG_ODD != 0;
        bool clean = flags <= FLAGS_MAX && (isOdd || uint8(path[0]) & NIBBLE_MASK == 0);
        uint256 length = 2 * path.length - (isOdd ? 1 : 2);
        newDepth = depth + length;
        bool fits = isLeaf ? newDepth == KEY_NIBBLES : length != 0 && newDepth < KEY_NIBBLES;
        if (!clean || !fits) revert MerkleTrie_Malformed(index);
        _checkNibbles(path, length, key, depth);
    }

    /// @dev Checks that the `length` nibbles at the end of `path` are those of the key from `depth` on.
    function _checkNibbles(bytes calldata path, uint256 length, bytes32 key, uint256 depth) private pure {
        uint256 mask = length == KEY_NIBBLES ? type(uint256).max : (1 << NIBBLE_BITS * length) - 1;
        uint256 found = path.length > HASH_BYTES
            ? uint256(bytes32(path[1:]))
            : uint256(bytes32(path)) >> BYTE_BITS * (HASH_BYTES - path.length);
        uint256 expected = uint256(key) >> NIBBLE_BITS * (KEY_NIBBLES - depth - length);
        if ((found ^ expected) & mask != 0) revert MerkleTrie_KeyAbsent();
    }

    /// @dev The node with the hash `child`, or the node embedded in `child`.
    function _open(bytes calldata child, bytes[] calldata proof, uint256 used)
        private
        pure
        returns (bytes calldata node, uint256 newUsed)
    {
        uint256 first = uint8(child[0]);
        if (first >= LIST) {
            if (child.length >= HASH_BYTES) revert MerkleTrie_Malformed(used - 1);
            bool repeated = used < proof.length;
            if (repeated && keccak256(proof[used]) != keccak256(child)) revert MerkleTrie_WrongNode(used);
            return (child, repeated ? used + 1 : used);
        }
        if (first == STRING) revert MerkleTrie_KeyAbsent();
        if (first != HASH_STRING) revert MerkleTrie_Malformed(used - 1);
        if (used == proof.length) revert MerkleTrie_ProofTooShort(used);
        node = proof[used];
        if (keccak256(node) != bytes32(child[1:])) revert MerkleTrie_WrongNode(used);
        newUsed = used + 1;
    }

    /// @dev Finds the items of a node, which has 2 or 17 of them.
    function _items(bytes calldata node, uint256 index) private pure returns (Items memory items) {
        if (node.length == 0 || uint8(node[0]) < LIST) revert MerkleTrie_Malformed(index);
        (uint256 start, uint256 end) = _payload(node, 0, index);
        if (end != node.length) revert MerkleTrie_Malformed(index);
        while (start < end) {
            if (items.count == BRANCH_ITEMS) revert MerkleTrie_Malformed(index);
            items.starts[items.count++] = start;
            // Fast path for the items of a branch. The check below detects a truncated one.
            uint256 first = uint8(node[start]);
            if (first == HASH_STRING) start += HASH_BYTES + 1;
            else if (first == STRING) start += 1;
            else (, start) = _payload(node, start, index);
        }
        // The last item ends beyond the list.
        if (start != end) revert MerkleTrie_Malformed(index);
        items.starts[items.count] = end;
    }

    /// @dev Item `i` with its RLP prefix.
    function _item(bytes calldata node, Items memory items, uint256 i) private pure returns (bytes calldata) {
        return node[items.starts[i]:items.starts[i + 1]];
    }

    /// @dev The bytes of an RLP string.
    function _string(bytes calldata item, uint256 index) private pure returns (bytes calldata) {
        if (uint8(item[0]) >= LIST) revert MerkleTrie_Malformed(index);
        (uint256 start, uint256 end) = _payload(item, 0, index);
        return item[start:end];
    }

    /// @dev Start and end of the payload of the RLP item at `offset`. Accepts canonical RLP only.
    function _payload(bytes calldata rlp, uint256 offset, uint256 index)
        private
        pure
        returns (uint256 start, uint256 end)
    {
        uint256 first = uint8(rlp[offset]);
        if (first < STRING) return (offset, offset + 1);
        uint256 base = first < LIST ? STRING : LIST;
        uint256 long = first < LIST ? LONG_STRING : LONG_LIST;
        uint256 length = first - base;
        start = offset + 1;
        if (first >= long) {
            uint256 lengthBytes = first - long + 1;
            bool readable = lengthBytes <= LENGTH_BYTES_MAX && start + lengthBytes <= rlp.length;
            if (!readable || rlp[start] == 0) revert MerkleTrie_Malformed(index);
            length = 0;
            for (uint256 i; i < lengthBytes; ++i) {
                length = length << BYTE_BITS | uint8(rlp[start + i]);
            }
            if (length <= SHORT_BYTES_MAX) revert MerkleTrie_Malformed(index);
            start += lengthBytes;
        }
        end = start + length;
        if (end > rlp.length) revert MerkleTrie_Malformed(index);
        bool shouldBeItself = base == STRING && length == 1 && uint8(rlp[start]) < STRING;
        if (shouldBeItself) revert MerkleTrie_Malformed(index);
    }

    function _nibble(bytes32 key, uint256 i) private pure returns (uint256) {
        return uint256(key) >> NIBBLE_BITS * (KEY_NIBBLES - 1 - i) & NIBBLE_MASK;
    }
}
