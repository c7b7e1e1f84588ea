// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Headers
/// @notice Builds RLP headers for tests.
library Headers {
    /// @dev The canonical RLP of a number.
    function encodeNumber(uint64 number) internal pure returns (bytes memory) {
        if (number == 0) return hex"80";
        if (number < 0x80) return abi.encodePacked(uint8(number));
        bytes memory digits;
        for (uint64 rest = number; rest != 0; rest >>= 8) {
            digits = abi.encodePacked(uint8(rest), digits);
        }
        return abi.encodePacked(uint8(0x80 + digits.length), digits);
    }

    /// @dev A header with this state root and this RLP item as the number. `salt` determines the other
    ///      fields.
    function encode(bytes32 stateRoot, bytes memory numberItem, bytes32 salt)
        internal
        pure
        returns (bytes memory)
    {
        bytes memory bloom = new bytes(256);
        bytes memory fields = abi.encodePacked(
            hex"a0",
            keccak256(abi.encode(salt, "parent")), // parentHash
            hex"a0",
            keccak256(abi.encode(salt, "ommers")), // ommersHash
            hex"94",
            address(uint160(uint256(salt))), // beneficiary
            hex"a0",
            stateRoot
        );
        fields = abi.encodePacked(
            fields,
            hex"a0",
            keccak256(abi.encode(salt, "transactions")), // transactionsRoot
            hex"a0",
            keccak256(abi.encode(salt, "receipts")), // receiptsRoot
            hex"b90100",
            bloom, // logsBloom
            hex"80" // difficulty
        );
        fields = abi.encodePacked(fields, numberItem, hex"83989680", hex"80", hex"84ffffffff", hex"80");
        return abi.encodePacked(hex"f9", uint16(fields.length), fields);
    }
}
