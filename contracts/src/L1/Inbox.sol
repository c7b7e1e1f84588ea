// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Entry, IInbox, InboxConfig } from "../interfaces/IInbox.sol";
import { IPortal } from "../interfaces/IPortal.sol";
import { CallerLib } from "../lib/CallerLib.sol";
import { ChunkHash } from "../lib/ChunkHash.sol";

/// @title Inbox
/// @notice The append-only list of entries; see IInbox.
contract Inbox is IInbox {
    uint8 private constant DATA_KIND_NONE = 0;
    uint8 private constant DATA_KIND_CALLDATA = 1;
    uint8 private constant DATA_KIND_BLOBS = 2;

    /// @dev Offset of the data in a canonical call to append: selector, five argument words, length.
    uint256 private constant WORD_BYTES = 32;
    uint256 private constant APPEND_DATA_OFFSET = 4 + 6 * WORD_BYTES;

    /// @inheritdoc IInbox
    bytes32 public immutable chainConfigHash;
    /// @inheritdoc IInbox
    IPortal public immutable portal;
    /// @inheritdoc IInbox
    uint64 public immutable forceWindow;
    /// @inheritdoc IInbox
    uint64 public immutable depositsPerEntryMax;
    /// @inheritdoc IInbox
    uint64 public immutable originLagMax;
    /// @inheritdoc IInbox
    uint64 public immutable entryBytesMax;
    /// @inheritdoc IInbox
    uint64 public immutable entryBlobsMax;
    /// @inheritdoc IInbox
    address public immutable keyAdmin;
    /// @inheritdoc IInbox
    uint64 public immutable keyDelay;

    /// @dev The values that the next entry builds on. They share one slot, so that an entry costs one update.
    struct Tail {
        uint64 entryCount;
        uint64 consumedDeposits;
        uint64 lastOrigin;
    }

    /// @dev Accumulator after entry k at key k.
    mapping(uint64 k => bytes32 acc) private _accs;
    Tail private _tail;
    /// @inheritdoc IInbox
    address public batcher;
    /// @inheritdoc IInbox
    address public pendingBatcher;
    /// @inheritdoc IInbox
    uint64 public pendingBatcherFrom;

    constructor(bytes32 chainConfigHash_, IPortal portal_, address batcher_, InboxConfig memory config) {
        bool works = chainConfigHash_ != 0 && address(portal_).code.length != 0 && batcher_ != address(0)
            && config.depositsPerEntryMax != 0 && config.originLagMax != 0 && config.entryBytesMax != 0
            && config.entryBlobsMax != 0;
        if (!works) revert Inbox_BadConfig();
        chainConfigHash = chainConfigHash_;
        portal = portal_;
        batcher = batcher_;
        forceWindow = config.forceWindow;
        depositsPerEntryMax = config.depositsPerEntryMax;
        originLagMax = config.originLagMax;
        entryBytesMax = config.entryBytesMax;
        entryBlobsMax = config.entryBlobsMax;
        keyAdmin = config.keyAdmin;
        keyDelay = config.keyDelay;

        _record(0, chainConfigHash_, DATA_KIND_NONE, bytes32(0), bytes32(0), 0, 0);
    }

    /// @inheritdoc IInbox
    function append(
        bytes32 expectedPrevAcc,
        uint64 depositCount,
        bytes32 expectedDepositAcc,
        uint64 origin,
        bytes calldata data
    ) external {
        _checkCaller();
        if (data.length > entryBytesMax) revert Inbox_DataTooLong(data.length, entryBytesMax);
        _checkCanonical(data);
        _append(
            expectedPrevAcc,
            depositCount,
            expectedDepositAcc,
            origin,
            DATA_KIND_CALLDATA,
            ChunkHash.hash(data)
        );
    }

    /// @inheritdoc IInbox
    function appendBlobs(
        bytes32 expectedPrevAcc,
        uint64 depositCount,
        bytes32 expectedDepositAcc,
        uint64 origin
    ) external {
        _checkCaller();
        _append(
            expectedPrevAcc,
            depositCount,
            expectedDepositAcc,
            origin,
            DATA_KIND_BLOBS,
            _hashBlobs(entryBlobsMax)
        );
    }

    /// @inheritdoc IInbox
    function forceInclude() external {
        Tail memory tail = _tail;
        uint64 consumed = tail.consumedDeposits;
        uint64 depositCount = _overdueEnd(consumed);
        if (depositCount == consumed) revert Inbox_NothingOverdue();

        uint64 last = tail.entryCount - 1;
        bytes32 depositAcc = portal.depositAcc(depositCount);
        _record(tail.entryCount, _accs[last], DATA_KIND_NONE, bytes32(0), depositAcc, depositCount, last);
    }

    /// @inheritdoc IInbox
    function nameBatcher(address newBatcher) external {
        // The zero address makes no calls, so without a configured admin every call reverts.
        if (msg.sender != keyAdmin) revert Inbox_NotKeyAdmin(msg.sender);
        if (newBatcher == address(0)) revert Inbox_BadBatcher(newBatcher);
        uint64 from = uint64(block.timestamp) + keyDelay;
        pendingBatcher = newBatcher;
        pendingBatcherFrom = from;
        emit BatcherNamed(newBatcher, from);
    }

    /// @inheritdoc IInbox
    function changeBatcher() external {
        address next = pendingBatcher;
        if (next == address(0)) revert Inbox_NoPendingBatcher();
        uint64 from = pendingBatcherFrom;
        if (block.timestamp < from) revert Inbox_KeyDelayNotOver(from);

        address previous = batcher;
        batcher = next;
        pendingBatcher = address(0);
        pendingBatcherFrom = 0;
        emit BatcherChanged(previous, next);
    }

    /// @inheritdoc IInbox
    function acc(uint64 k) external view returns (bytes32) {
        uint64 count = _tail.entryCount;
        if (k >= count) revert Inbox_UnknownEntry(k, count);
        return _accs[k];
    }

    /// @inheritdoc IInbox
    function entryCount() external view returns (uint64) {
        return _tail.entryCount;
    }

    /// @inheritdoc IInbox
    function consumedDeposits() external view returns (uint64) {
        return _tail.consumedDeposits;
    }

    /// @inheritdoc IInbox
    function lastOrigin() external view returns (uint64) {
        return _tail.lastOrigin;
    }

    function _append(
        bytes32 expectedPrevAcc,
        uint64 depositCount,
        bytes32 expectedDepositAcc,
        uint64 origin,
        uint8 dataKind,
        bytes32 dataHash
    ) private {
        Tail memory tail = _tail;
        bytes32 prevAcc = _accs[tail.entryCount - 1];
        if (prevAcc != expectedPrevAcc) revert Inbox_WrongPrevAcc(expectedPrevAcc, prevAcc);
        _checkOrigin(tail, origin);
        _checkDeposits(tail.consumedDeposits, depositCount, expectedDepositAcc);

        _record(tail.entryCount, prevAcc, dataKind, dataHash, expectedDepositAcc, depositCount, origin);
    }

    function _record(
        uint64 index,
        bytes32 prevAcc,
        uint8 dataKind,
        bytes32 dataHash,
        bytes32 depositAcc,
        uint64 depositCount,
        uint64 origin
    ) private {
        Entry memory entry = Entry({
            index: index,
            dataKind: dataKind,
            dataHash: dataHash,
            depositAcc: depositAcc,
            depositCount: depositCount,
            l1BlockNumber: uint64(block.number),
            l1Time: uint64(block.timestamp),
            l1BaseFee: block.basefee,
            l1BlobBaseFee: block.blobbasefee,
            l1ParentHash: blockhash(block.number - 1),
            origin: origin
        });
        bytes32 newAcc = keccak256(abi.encode(prevAcc, entry));
        _accs[index] = newAcc;
        _tail = Tail({ entryCount: index + 1, consumedDeposits: depositCount, lastOrigin: origin });
        emit EntryAppended(index, newAcc, prevAcc, entry);
    }

    function _checkCaller() private view {
        if (msg.sender != batcher) revert Inbox_NotBatcher(msg.sender);
        if (!CallerLib.isPlainTopLevelCall()) revert Inbox_NotTopLevel();
    }

    /// @dev Commitment to the transaction's blobs. L1 limits the blobs of a transaction, so the loop ends.
    function _hashBlobs(uint64 max) private view returns (bytes32) {
        uint256 count;
        while (blobhash(count) != 0) ++count;
        if (count == 0 || count > max) revert Inbox_BadBlobCount(count, max);
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            hashes[i] = blobhash(i);
        }
        return keccak256(abi.encodePacked(hashes));
    }

    function _checkCanonical(bytes calldata data) private pure {
        uint256 offset;
        assembly ("memory-safe") {
            offset := data.offset
        }
        uint256 paddedBytes = (data.length + WORD_BYTES - 1) / WORD_BYTES * WORD_BYTES;
        bool canonical = offset == APPEND_DATA_OFFSET && msg.data.length == offset + paddedBytes;
        if (!canonical) revert Inbox_NonCanonicalCalldata();
    }

    function _checkOrigin(Tail memory tail, uint64 origin) private view {
        uint64 index = tail.entryCount;
        if (origin < tail.lastOrigin) revert Inbox_OriginGoesBack(origin, tail.lastOrigin);
        if (origin >= index) revert Inbox_OriginNotEarlier(origin, index);
        if (index - origin > originLagMax) revert Inbox_OriginTooOld(origin, index, originLagMax);
    }

    function _checkDeposits(uint64 consumed, uint64 depositCount, bytes32 expectedDepositAcc) private view {
        uint64 queued = portal.depositCount();
        if (depositCount < consumed || depositCount > queued) {
            revert Inbox_BadDepositCount(depositCount, consumed, queued);
        }
        uint64 taken = depositCount - consumed;
        if (taken > depositsPerEntryMax) revert Inbox_TooManyDeposits(taken, depositsPerEntryMax);
        bytes32 depositAcc = portal.depositAcc(depositCount);
        if (depositAcc != expectedDepositAcc) revert Inbox_WrongDepositAcc(expectedDepositAcc, depositAcc);

        bool full = taken == depositsPerEntryMax;
        if (!full && depositCount < queued && _isOverdue(depositCount)) {
            revert Inbox_OverdueDepositLeftOut(depositCount);
        }
    }

    /// @dev The deposit count of an entry that consumes min(overdue, depositsPerEntryMax) deposits after
    ///      `consumed`.
    ///      The queue is in order of time, so a binary search finds the end of the overdue deposits.
    function _overdueEnd(uint64 consumed) private view returns (uint64 end) {
        uint64 waiting = portal.depositCount() - consumed;
        end = consumed;
        uint64 high = consumed + (waiting < depositsPerEntryMax ? waiting : depositsPerEntryMax);
        while (end < high) {
            uint64 middle = end + (high - end) / 2;
            if (_isOverdue(middle)) end = middle + 1;
            else high = middle;
        }
    }

    /// @dev Adds in 256 bits, so that entries do not revert with a force window close to the maximum.
    function _isOverdue(uint64 depositIndex) private view returns (bool) {
        return uint256(portal.depositTime(depositIndex)) + forceWindow <= block.timestamp;
    }
}
