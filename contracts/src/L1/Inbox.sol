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

    /// @dev Where the data starts in a canonical call to append: selector, five argument words, length.
    uint256 private constant WORD_BYTES = 32;
    uint256 private constant APPEND_DATA_OFFSET = 4 + 6 * WORD_BYTES;

    /// @inheritdoc IInbox
    bytes32 public immutable chainConfigHash;
    /// @inheritdoc IInbox
    IPortal public immutable portal;
    /// @inheritdoc IInbox
    address public immutable batcher;
    /// @inheritdoc IInbox
    uint64 public immutable forceWindow;
    /// @inheritdoc IInbox
    uint64 public immutable depositsPerEntryMax;
    /// @inheritdoc IInbox
    uint64 public immutable originLagMax;
    /// @inheritdoc IInbox
    uint64 public immutable entryBytesMax;

    /// @dev Accumulator after entry k at index k.
    bytes32[] private _accs;
    /// @inheritdoc IInbox
    uint64 public consumedDeposits;
    /// @inheritdoc IInbox
    uint64 public lastOrigin;

    constructor(bytes32 chainConfigHash_, IPortal portal_, address batcher_, InboxConfig memory config) {
        bool works = chainConfigHash_ != 0 && address(portal_).code.length != 0 && batcher_ != address(0)
            && config.depositsPerEntryMax != 0 && config.originLagMax != 0 && config.entryBytesMax != 0;
        if (!works) revert Inbox_BadConfig();
        chainConfigHash = chainConfigHash_;
        portal = portal_;
        batcher = batcher_;
        forceWindow = config.forceWindow;
        depositsPerEntryMax = config.depositsPerEntryMax;
        originLagMax = config.originLagMax;
        entryBytesMax = config.entryBytesMax;

        _record(chainConfigHash_, DATA_KIND_NONE, bytes32(0), bytes32(0), 0, 0);
    }

    /// @inheritdoc IInbox
    function append(
        bytes32 expectedPrevAcc,
        uint64 depositCount,
        bytes32 expectedDepositAcc,
        uint64 origin,
        bytes calldata data
    ) external {
        if (msg.sender != batcher) revert Inbox_NotBatcher(msg.sender);
        if (!CallerLib.isPlainTopLevelCall()) revert Inbox_NotTopLevel();
        if (data.length > entryBytesMax) revert Inbox_DataTooLong(data.length, entryBytesMax);
        _checkCanonical(data);

        uint64 index = entryCount();
        bytes32 prevAcc = _accs[index - 1];
        if (prevAcc != expectedPrevAcc) revert Inbox_WrongPrevAcc(expectedPrevAcc, prevAcc);
        _checkOrigin(index, origin);
        _checkDeposits(depositCount, expectedDepositAcc);

        _record(prevAcc, DATA_KIND_CALLDATA, ChunkHash.hash(data), expectedDepositAcc, depositCount, origin);
    }

    /// @inheritdoc IInbox
    function forceInclude() external {
        uint64 consumed = consumedDeposits;
        uint64 depositCount = _overdueEnd(consumed);
        if (depositCount == consumed) revert Inbox_NothingOverdue();

        uint64 last = entryCount() - 1;
        _record(_accs[last], DATA_KIND_NONE, bytes32(0), portal.depositAcc(depositCount), depositCount, last);
    }

    /// @inheritdoc IInbox
    function acc(uint64 k) external view returns (bytes32) {
        if (k >= entryCount()) revert Inbox_UnknownEntry(k, entryCount());
        return _accs[k];
    }

    /// @inheritdoc IInbox
    function entryCount() public view returns (uint64) {
        return uint64(_accs.length);
    }

    function _record(
        bytes32 prevAcc,
        uint8 dataKind,
        bytes32 dataHash,
        bytes32 depositAcc,
        uint64 depositCount,
        uint64 origin
    ) private {
        Entry memory entry = Entry({
            index: entryCount(),
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
        _accs.push(newAcc);
        consumedDeposits = depositCount;
        lastOrigin = origin;
        emit EntryAppended(entry.index, newAcc, prevAcc, entry);
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

    function _checkOrigin(uint64 index, uint64 origin) private view {
        if (origin < lastOrigin) revert Inbox_OriginGoesBack(origin, lastOrigin);
        if (origin >= index) revert Inbox_OriginNotEarlier(origin, index);
        if (index - origin > originLagMax) revert Inbox_OriginTooOld(origin, index, originLagMax);
    }

    function _checkDeposits(uint64 depositCount, bytes32 expectedDepositAcc) private view {
        uint64 consumed = consumedDeposits;
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

    /// @dev The deposit count of an entry that consumes min(overdue, depositsPerEntryMax) deposits after `consumed`.
    ///      Deposits are queued in order of time, so the overdue ones come first: a binary search finds their end.
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

    /// @dev The sum is taken in 256 bits: a window too long to end must not make entries revert.
    function _isOverdue(uint64 depositIndex) private view returns (bool) {
        return uint256(portal.depositTime(depositIndex)) + forceWindow <= block.timestamp;
    }
}
