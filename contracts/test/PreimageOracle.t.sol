// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { PreimageOracle } from "../src/L1/PreimageOracle.sol";
import { IPreimageOracle, LocalInputs } from "../src/interfaces/IPreimageOracle.sol";
import { Test } from "./utils/Test.sol";

/// @title PreimageOracleTest
/// @notice The rules of the oracle, one by one. The crate turnpike-game measures the gas of whole
///         transactions.
contract PreimageOracleTest is Test {
    /// @dev A commitment to the polynomial X, whose value at a point is the point. The generator is the proof
    ///      of every value.
    bytes private constant COMMITMENT =
        hex"ad3eb50121139aa34db1d545093ac9374ab7bca2c0f3bf28e27c8dcd8fc7cb42d25926fc0c97b336e9f0fb35e5a04c81";
    bytes private constant GENERATOR =
        hex"97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb";
    uint256 private constant BLS_MODULUS = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;
    uint256 private constant MEGAGAS = 1_000_000;

    PreimageOracle private oracle = new PreimageOracle();

    // ------------------------------------------------------------------------------------------------- reading

    function test_read_unknownKeyReverts() public {
        expectNotLoaded(keccak256("anything"), 0);
        expectNotLoaded(bytes32(0), 0);
        expectNotLoaded(bytes32(uint256(5) << 248), 0);
        // There is no sixth local input, and the bytes between kind and number must be zero.
        expectNotLoaded(bytes32((uint256(1) << 248) | 5), 0);
        expectNotLoaded(bytes32((uint256(1) << 248) | (1 << 128)), 0);
        expectNotLoaded(bytes32(uint256(2) << 248), 0);
        expectNotLoaded(bytes32(uint256(3) << 248), 131_040);
    }

    function test_read_misalignedReverts() public {
        bytes32 key = oracle.loadKeccak(32, pattern(100));
        LocalInputs memory local;
        vm.expectRevert(abi.encodeWithSelector(IPreimageOracle.PreimageOracle_Misaligned.selector, 33));
        oracle.read(key, 33, local);
    }

    function testFuzz_read_localInputs(LocalInputs memory local, uint256 part) public view {
        part = bound(part, 1, type(uint256).max / 32);
        bytes32[5] memory words = [
            local.chainConfig,
            local.outputRoot,
            local.inboxAcc,
            bytes32(uint256(local.blockIndex)),
            bytes32(uint256(local.dataMissing ? 1 : 0))
        ];
        for (uint256 i; i < 5; ++i) {
            checkRead(bytes32((uint256(1) << 248) | i), 0, local, words[i], 32);
            checkRead(bytes32((uint256(1) << 248) | i), part * 32, local, 0, 32);
        }
    }

    function test_read_beyondABlob() public view {
        LocalInputs memory local;
        checkRead(bytes32(uint256(3) << 248), 131_072, local, 0, 131_072);
    }

    // ------------------------------------------------------------------------------------------------- keccak

    function testFuzz_loadKeccak(bytes memory preimage, uint256 part) public {
        part = bound(part, 0, preimage.length / 32 + 1);
        bytes32 key = oracle.loadKeccak(part * 32, preimage);
        vm.assertEq(key, bytes32((uint256(keccak256(preimage)) << 8 >> 8) | (uint256(2) << 248)));
        checkLoaded(key, part * 32, partOf(preimage, part * 32), preimage.length);
        expectNotLoaded(key, part * 32 + 32);
    }

    function test_loadKeccak_groupsOfParts() public {
        bytes memory preimage = pattern(14_000);
        bytes32 key;
        for (uint256 part; part < 438; part += 61) {
            key = oracle.loadKeccak(part * 32, preimage);
        }
        for (uint256 part; part < 438; ++part) {
            if (part % 61 == 0) checkLoaded(key, part * 32, partOf(preimage, part * 32), 14_000);
            else expectNotLoaded(key, part * 32);
        }
    }

    function testFuzz_loadKeccak_farBeyond(uint256 part) public {
        part = bound(part, 10, type(uint256).max / 32);
        bytes32 key = oracle.loadKeccak(part * 32, pattern(100));
        checkLoaded(key, part * 32, 0, 100);
    }

    function test_loadKeccak_misalignedReverts() public {
        vm.expectRevert(abi.encodeWithSelector(IPreimageOracle.PreimageOracle_Misaligned.selector, 31));
        oracle.loadKeccak(31, pattern(100));
    }

    function test_loadKeccak_again() public {
        bytes32 key = oracle.loadKeccak(0, pattern(100));
        uint256 before = gasleft();
        vm.assertEq(oracle.loadKeccak(0, pattern(100)), key);
        vm.assertGt(25_000, before - gasleft());
        checkLoaded(key, 0, partOf(pattern(100), 0), 100);
    }

    function test_loadKeccak_event() public {
        bytes32 key = bytes32((uint256(keccak256(pattern(40))) << 8 >> 8) | (uint256(2) << 248));
        vm.expectEmit(address(oracle));
        emit IPreimageOracle.PartLoaded(key, 32, partOf(pattern(40), 32), 40);
        oracle.loadKeccak(32, pattern(40));
    }

    // --------------------------------------------------------------------------------------------------- blobs

    function testFuzz_loadBlobElement(uint256 index) public {
        index = bound(index, 0, 4095);
        bytes32 key = oracle.loadBlobElement(versionedHash(), index, elementAt(index), COMMITMENT, GENERATOR);
        checkLoaded(key, 32 * index, elementAt(index), 131_072);
    }

    function testFuzz_loadBlobElement_wrongElementReverts(uint256 index, uint256 other) public {
        index = bound(index, 0, 4095);
        other = bound(other, 0, 4095);
        if (other == index) other = (index + 1) % 4096;
        expectBadProof(versionedHash(), index, elementAt(other), COMMITMENT, GENERATOR);
        // Element 0 is 1.
        expectBadProof(versionedHash(), index, bytes32(other + 2), COMMITMENT, GENERATOR);
        // The same element, but not reduced by the modulus.
        bytes32 same = bytes32(uint256(elementAt(index)) + BLS_MODULUS);
        expectBadProof(versionedHash(), index, same, COMMITMENT, GENERATOR);
    }

    function test_loadBlobElement_wrongProofReverts() public {
        expectBadProof(versionedHash(), 0, elementAt(0), GENERATOR, GENERATOR);
        expectBadProof(versionedHash(), 0, elementAt(0), COMMITMENT, COMMITMENT);
        expectBadProof(keccak256("hash"), 0, elementAt(0), COMMITMENT, GENERATOR);
        expectBadProof(versionedHash(), 0, elementAt(0), COMMITMENT, "");
        expectBadProof(versionedHash(), 0, elementAt(0), COMMITMENT, bytes.concat(GENERATOR, hex"00"));
    }

    function test_loadBlobElement_noSuchElementReverts() public {
        (bytes32 element, bytes32 hash) = (elementAt(0), versionedHash());
        vm.expectRevert(abi.encodeWithSelector(IPreimageOracle.PreimageOracle_NoSuchElement.selector, 4096));
        oracle.loadBlobElement(hash, 4096, element, COMMITMENT, GENERATOR);
    }

    function test_loadBlobElement_anyGas() public {
        bool isLoaded;
        for (uint256 gas_ = 10_000; gas_ < 200_000; gas_ += 500) {
            try oracle.loadBlobElement{ gas: gas_ }(versionedHash(), 5, elementAt(6), COMMITMENT, GENERATOR) {
                revert("wrong element");
            } catch { }
            try oracle.loadBlobElement{ gas: gas_ }(versionedHash(), 5, elementAt(5), COMMITMENT, GENERATOR) {
                isLoaded = true;
            } catch { }
        }
        vm.assertTrue(isLoaded);
    }

    // --------------------------------------------------------------------------------------------- precompiles

    function test_constructor_emptyAddressSucceedsWithoutGas() public view {
        // The constructor relies on this: without gas, a call to an empty address succeeds and a
        // call to a precompile fails.
        (bool isNothing,) = address(0x12).staticcall{ gas: 0 }("");
        vm.assertTrue(isNothing);
        (isNothing,) = address(0x04).staticcall{ gas: 0 }("");
        vm.assertEq(isNothing, false);
    }

    function test_loadPrecompile_otherAddressesRevert() public {
        address[8] memory others = [
            address(0),
            address(2),
            address(3),
            address(4),
            address(9),
            address(0x12),
            address(0x101),
            address(this)
        ];
        for (uint256 i; i < others.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IPreimageOracle.PreimageOracle_NotOfTheOracle.selector, others[i])
            );
            oracle.loadPrecompile(0, others[i], "");
        }
    }

    function test_loadPrecompile_wrongLengthsRevert() public {
        expectNotShown(address(0x08), new bytes(191));
        expectNotShown(address(0x0a), new bytes(191));
        expectNotShown(address(0x0a), new bytes(0));
        expectNotShown(address(0x0b), new bytes(255));
        expectNotShown(address(0x0c), new bytes(0));
        expectNotShown(address(0x0f), new bytes(385));
        // EIP-7823: the only input that modexp rejects.
        expectNotShown(address(0x05), abi.encode(1025, 0, 0));
    }

    function test_loadPrecompile_addressIsBound() public {
        bytes memory input = new bytes(96);
        bytes32 add = oracle.loadPrecompile(0, address(0x06), input);
        bytes32 mul = oracle.loadPrecompile(0, address(0x07), input);
        vm.assertNotEq(add, mul);
        bytes32 longer = oracle.loadPrecompile(0, address(0x06), new bytes(97));
        vm.assertNotEq(add, longer);
    }

    /// @dev With any amount of gas, the recorded result is correct or the call reverts. Inputs that succeed,
    ///      and inputs that fail.
    function test_loadPrecompile_anyGas() public {
        bytes memory ones = new bytes(768);
        for (uint256 i; i < ones.length; ++i) {
            ones[i] = 0x01;
        }
        uint16[2][14] memory lengths = [
            [uint16(0x01), 128],
            [uint16(0x05), 96],
            [uint16(0x06), 128],
            [uint16(0x07), 96],
            [uint16(0x08), 384],
            [uint16(0x0a), 192],
            [uint16(0x0b), 256],
            [uint16(0x0c), 320],
            [uint16(0x0d), 512],
            [uint16(0x0e), 288],
            [uint16(0x0f), 384],
            [uint16(0x10), 64],
            [uint16(0x11), 128],
            [uint16(0x0100), 160]
        ];
        uint256 failures;
        for (uint256 i; i < lengths.length; ++i) {
            address precompile = address(uint160(lengths[i][0]));
            bytes memory input = new bytes(lengths[i][1]);
            if (precompile == address(0x05)) input = bytes.concat(abi.encode(32, 32, 32), partOf(ones, 0));
            if (precompile == address(0x0a)) input = pointEvaluation();
            if (sweep(precompile, input)) failures += 100;
            bytes memory bad = bytes.concat(input);
            if (precompile != address(0x05)) bad[lengths[i][1] - 1] = 0x01;
            if (precompile != address(0x05)) bad[0] = 0x01;
            if (sweep(precompile, bad)) ++failures;
        }
        // All but ecrecover, modexp and p256verify fail for invalid input, and only for that.
        vm.assertEq(failures, 11);
    }

    /// @dev Finds the least gas with which a result is recorded. Returns whether the result is a failure.
    function sweep(address precompile, bytes memory input) private returns (bool fails) {
        (bool succeeds, bytes memory output) = precompile.staticcall{ gas: MEGAGAS }(input);
        bytes memory expected = succeeds ? bytes.concat(hex"01", output) : bytes(hex"00");
        oracle = new PreimageOracle();
        uint256 gas_ = 25_000;
        bytes32 key;
        while (key == 0) {
            gas_ += gas_ / 200;
            try oracle.loadPrecompile{ gas: gas_ }(0, precompile, input) returns (bytes32 loaded) {
                key = loaded;
            } catch { }
        }
        checkLoaded(key, 0, partOf(expected, 0), expected.length);
        for (uint256 more = gas_; more < 3 * gas_; more += gas_ / 5) {
            PreimageOracle another = new PreimageOracle();
            another.loadPrecompile{ gas: more }(0, precompile, input);
            LocalInputs memory local;
            (bytes32 word,) = another.read(key, 0, local);
            vm.assertEq(word, partOf(expected, 0));
        }
        return !succeeds;
    }

    // ------------------------------------------------------------------------------------------------- helpers

    function versionedHash() private pure returns (bytes32) {
        return bytes32((uint256(sha256(COMMITMENT)) << 8 >> 8) | (uint256(1) << 248));
    }

    /// @dev Index and exponent have their bits in opposite orders.
    function elementAt(uint256 index) private view returns (bytes32) {
        uint256 reversed;
        for (uint256 bit; bit < 12; ++bit) {
            if (index & (1 << bit) != 0) reversed += 2 ** (11 - bit);
        }
        return bytes32(power(power(7, (BLS_MODULUS - 1) / 4096), reversed));
    }

    function power(uint256 base, uint256 exponent) private view returns (uint256) {
        (, bytes memory result) = address(5).staticcall(abi.encode(32, 32, 32, base, exponent, BLS_MODULUS));
        return abi.decode(result, (uint256));
    }

    /// @dev The input of a valid point evaluation: the polynomial X at 2 is 2.
    function pointEvaluation() private pure returns (bytes memory) {
        return abi.encodePacked(versionedHash(), uint256(2), uint256(2), COMMITMENT, GENERATOR);
    }

    function partOf(bytes memory data, uint256 offset) private pure returns (bytes32) {
        uint256 word;
        for (uint256 i; i < 32; ++i) {
            word = (word << 8) | (offset + i < data.length ? uint8(data[offset + i]) : 0);
        }
        return bytes32(word);
    }

    function checkLoaded(bytes32 key, uint256 offset, bytes32 expected, uint256 expectedLen) private view {
        LocalInputs memory local;
        checkRead(key, offset, local, expected, expectedLen);
    }

    function checkRead(
        bytes32 key,
        uint256 offset,
        LocalInputs memory local,
        bytes32 expected,
        uint256 expectedLen
    ) private view {
        (bytes32 word, uint64 len) = oracle.read(key, offset, local);
        vm.assertEq(word, expected);
        vm.assertEq(uint256(len), expectedLen);
    }

    function expectNotLoaded(bytes32 key, uint256 offset) private {
        LocalInputs memory local;
        vm.expectRevert(
            abi.encodeWithSelector(IPreimageOracle.PreimageOracle_NotLoaded.selector, key, offset)
        );
        oracle.read(key, offset, local);
    }

    function expectBadProof(
        bytes32 hash,
        uint256 index,
        bytes32 element,
        bytes memory commitment,
        bytes memory proof
    ) private {
        vm.expectRevert(
            abi.encodeWithSelector(IPreimageOracle.PreimageOracle_BadBlobProof.selector, hash, index)
        );
        oracle.loadBlobElement{ gas: MEGAGAS }(hash, index, element, commitment, proof);
    }

    function expectNotShown(address precompile, bytes memory input) private {
        vm.expectRevert(
            abi.encodeWithSelector(IPreimageOracle.PreimageOracle_FailureNotShown.selector, precompile)
        );
        oracle.loadPrecompile{ gas: MEGAGAS }(0, precompile, input);
    }
}
