// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { HeaderReader } from "../src/lib/HeaderReader.sol";
import { Headers } from "./utils/Headers.sol";
import { Test } from "./utils/Test.sol";

contract HeaderReaderTest is Test {
    bytes32 private constant STATE_ROOT = keccak256("state");

    function read(bytes calldata encoded) external pure returns (bytes32 stateRoot, uint64 number) {
        return HeaderReader.read(encoded);
    }

    function header(bytes memory numberItem) private pure returns (bytes memory) {
        return Headers.encode(STATE_ROOT, numberItem, keccak256("salt"));
    }

    function readReverts(bytes memory reason, bytes memory encoded) private {
        vm.expectRevert(reason);
        this.read(encoded);
    }

    function badNumberReverts(bytes memory numberItem) private {
        readReverts(abi.encodeWithSelector(HeaderReader.HeaderReader_BadNumber.selector), header(numberItem));
    }

    function testFuzz_read_findsStateRootAndNumber(
        bytes32 stateRoot,
        uint64 number,
        uint8 shift,
        bytes32 salt
    ) public view {
        number >>= shift % 64;
        bytes memory encoded = Headers.encode(stateRoot, Headers.encodeNumber(number), salt);
        (bytes32 foundRoot, uint64 foundNumber) = this.read(encoded);
        vm.assertEq(foundRoot, stateRoot);
        vm.assertEq(foundNumber, number);
    }

    function test_read_numberBounds() public view {
        uint64[8] memory numbers = [0, 1, 0x7f, 0x80, 0xff, 0x100, 2 ** 56, type(uint64).max];
        for (uint256 i; i < numbers.length; ++i) {
            (, uint64 number) = this.read(header(Headers.encodeNumber(numbers[i])));
            vm.assertEq(number, numbers[i]);
        }
    }

    function test_read_nonCanonicalNumber_reverts() public {
        badNumberReverts(hex"00"); // zero as a byte
        badNumberReverts(hex"8100"); // a byte with a prefix
        badNumberReverts(hex"817f");
        badNumberReverts(hex"820080"); // leading zero
        badNumberReverts(hex"8800ffffffffffffff");
    }

    function test_read_numberTooLong_reverts() public {
        badNumberReverts(hex"89010000000000000000");
        badNumberReverts(hex"a00000000000000000000000000000000000000000000000000000000000000001");
        badNumberReverts(hex"c101"); // a list
    }

    function test_read_wrongPrefix_reverts() public {
        wrongPrefixReverts(0, 0xf9);
        uint8[5] memory hashes = [3, 36, 90, 123, 156];
        for (uint256 i; i < 5; ++i) {
            wrongPrefixReverts(hashes[i], 0xa0);
        }
        wrongPrefixReverts(69, 0x94);
        wrongPrefixReverts(189, 0xb9);
        wrongPrefixReverts(448, 0x80);
    }

    function wrongPrefixReverts(uint256 offset, uint8 expected) private {
        for (uint256 change = 1; change < 256; change <<= 1) {
            bytes memory encoded = header(hex"01");
            uint8 found = expected ^ uint8(change);
            encoded[offset] = bytes1(found);
            readReverts(
                abi.encodeWithSelector(
                    HeaderReader.HeaderReader_WrongPrefix.selector, offset, expected, found
                ),
                encoded
            );
        }
    }

    function test_read_wrongListLength_reverts() public {
        bytes memory encoded = header(hex"01");
        uint256 length = encoded.length;
        readReverts(
            abi.encodeWithSelector(HeaderReader.HeaderReader_WrongLength.selector, length, length + 1),
            bytes.concat(encoded, hex"80")
        );
        encoded[2] = bytes1(uint8(encoded[2]) + 1);
        readReverts(
            abi.encodeWithSelector(HeaderReader.HeaderReader_WrongLength.selector, length + 1, length),
            encoded
        );
    }

    function test_read_wrongBloomLength_reverts() public {
        bytes memory encoded = header(hex"01");
        encoded[191] = 0x01;
        readReverts(abi.encodeWithSelector(HeaderReader.HeaderReader_WrongLength.selector, 256, 257), encoded);
    }

    function test_read_truncated_reverts() public {
        readReverts(abi.encodeWithSelector(HeaderReader.HeaderReader_Truncated.selector, 0), "");
        readReverts(abi.encodeWithSelector(HeaderReader.HeaderReader_Truncated.selector, 449), new bytes(449));
        // The number's prefix is the last byte and announces one more.
        bytes memory encoded = cut(header(hex"81ff"), 450);
        readReverts(abi.encodeWithSelector(HeaderReader.HeaderReader_Truncated.selector, 450), encoded);
    }

    /// @dev Reading a header that is cut before the end of the number reverts, even if its list length is
    ///      adjusted.
    function testFuzz_read_cut_reverts(uint256 seed) public {
        bytes memory encoded = cut(header(hex"88ffffffffffffffff"), bound(seed, 3, 457));
        vm.expectRevert();
        this.read(encoded);
    }

    /// @dev After a change of any byte, reading returns the changed header's values or reverts.
    function testFuzz_read_anyByteChanged(uint16 offset, bytes1 value) public view {
        bytes memory encoded = header(hex"88ffffffffffffffff");
        uint256 place = bound(offset, 0, encoded.length - 1);
        encoded[place] = value;
        try this.read(encoded) returns (bytes32 stateRoot, uint64 number) {
            bytes memory part = new bytes(32);
            for (uint256 i; i < 32; ++i) {
                part[i] = encoded[91 + i];
            }
            vm.assertEq(stateRoot, bytes32(part));
            bytes memory item = Headers.encodeNumber(number);
            for (uint256 i; i < item.length; ++i) {
                vm.assertEq(uint256(uint8(encoded[449 + i])), uint256(uint8(item[i])));
            }
        } catch {
            vm.assertTrue(value != header(hex"88ffffffffffffffff")[place]);
        }
    }

    function cut(bytes memory encoded, uint256 length) private pure returns (bytes memory result) {
        result = new bytes(length);
        for (uint256 i; i < length; ++i) {
            result[i] = encoded[i];
        }
        bytes2 listBytes = bytes2(uint16(length - 3));
        result[1] = listBytes[0];
        result[2] = listBytes[1];
    }
}
