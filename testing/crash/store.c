/*
 * A fault-injecting store: simulates power loss, a full disk and I/O errors for a process, on any file system.
 *
 * Job: a library that is preloaded into a process (LD_PRELOAD). Before each change to a file or name below one folder
 * it logs how to undo the change, and it logs which changes were synced. The log survives kill -9. `power-loss.mjs`
 * then undoes the unsynced changes. Rules can also kill the process within a call, skip a sync, and fail calls.
 *
 * Durability: a sync keeps what POSIX promises and no more. fsync of a file keeps its bytes and length, fsync of a
 * folder the names in it. (ext4 keeps more: a new file's name goes with the file.) A sync covers the changes before
 * it began. After a failed sync, the file's earlier unsynced changes can never be synced: Linux marks such pages
 * clean.
 *
 * Limits: the store does not see writes through mmap, duplicated descriptors and raw system calls. SQLite maps only
 * its -shm files, which it rebuilds at a restart; the store ignores them.
 *
 * Environment:
 *   STORE_ROOT   the folder, absolute and without symbolic links; if unset, the store does nothing
 *   STORE_SIDE   a folder on the same file system, outside the first: holds the log (`log`) and unlinked files
 *   STORE_RULES  rules, separated by `;`
 *   STORE_ARM    rules neither count nor act before this path exists; if unset, they count from the start
 *
 * A rule is `ACTION GLOB OPERATION FROM [DETAIL]`. GLOB matches the last part of a path. OPERATION is `write` (also
 * truncation), `sync`, `name` (creation, renaming, removal; the new name counts), or `say`: then GLOB, with `?` for blanks,
 * matches text written to standard output or error. FROM is the number of the call, from 1; with a trailing `+` it
 * means this call and all later ones. ACTION is one of
 *   kill-before, kill-within, kill-after   SIGKILL; `within` does half of a write first; DETAIL: milliseconds to wait
 *                                          before the kill, in which other threads go on
 *   skip                                   the sync does nothing and reports success
 *   fail                                   the call fails; DETAIL: the errno
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 4096
#define RULES_MAX 8
#define NAME_BYTES_MAX 64
#define LINE_BYTES_MAX 256

/* Kinds of log records. `power-loss.mjs` reads them. Integers are in the machine's byte order. */
enum kind { WRITE = 1, CUT, CREATE, FOLDER, UNLINK, RENAME, SYNC, LOST };

/*
 * WRITE, CUT: `inode` had `size` bytes; the record ends with the `length` bytes that stood at `offset`. WRITE replaced
 *             them, CUT truncated the file at `offset`.
 * CREATE, FOLDER, UNLINK, RENAME: a name in the folder `inode`; the path follows, then, for RENAME, a zero and the new path.
 *             If `offset` is not 0, STORE_SIDE keeps the file that lost its name under this number.
 * SYNC, LOST: changes of `inode` logged before byte `offset` of the log are durable, or never will be.
 */
struct record {
    uint32_t kind, length;
    uint64_t inode, offset, size;
};

/* A descriptor of a file or folder below the root. */
struct descriptor {
    int is_ours;
    uint64_t inode;
    char name[NAME_BYTES_MAX];
};

enum action { NOTHING, KILL_BEFORE, KILL_WITHIN, KILL_AFTER, SKIP, FAIL };
static const char *const ACTIONS[] = {"", "kill-before", "kill-within", "kill-after", "skip", "fail"};

struct rule {
    enum action action;
    char glob[NAME_BYTES_MAX], operation[8];
    unsigned long from, count;
    int and_on, detail;
};

static const char *root, *side, *arm;
static int log_fd = -1, is_armed, rule_count;
static uint64_t log_end, kept;
static struct descriptor descriptors[DESCRIPTORS_MAX];
static struct rule rules[RULES_MAX];
/* Guards all of the above. Held during a change and its record, so that the log has the order of the changes. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* The C library's own function of this name. */
#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) {
    return dlsym(RTLD_NEXT, name);
}

__attribute__((noreturn)) static void give_up(const char *what) {
    fprintf(stderr, "store: %s: %s\n", what, strerror(errno));
    _exit(70);
}

static void read_rule(const char *text) {
    char action[16], from[24];
    if (rule_count == RULES_MAX) give_up("too many rules");
    struct rule *rule = &rules[rule_count++];
    int fields = sscanf(text, " %15s %63s %7s %23s %d", action, rule->glob, rule->operation, from, &rule->detail);
    char *end = from;
    if (fields >= 4) rule->from = strtoul(from, &end, 10);
    for (int known = KILL_BEFORE; fields >= 4 && known <= FAIL; known++)
        if (strcmp(action, ACTIONS[known]) == 0) rule->action = (enum action)known;
    rule->and_on = strcmp(end, "+") == 0;
    errno = EINVAL;
    if (rule->action == NOTHING || rule->from == 0 || (*end && !rule->and_on)) give_up(text);
}

__attribute__((constructor)) static void begin(void) {
    side = getenv("STORE_SIDE");
    arm = getenv("STORE_ARM");
    if (!getenv("STORE_ROOT")) return;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/log", side ? side : "");
    log_fd = REAL(open)(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) give_up(path);
    char *text = strdup(getenv("STORE_RULES") ? getenv("STORE_RULES") : "");
    for (char *rule = strtok(text, ";"); rule; rule = strtok(NULL, ";")) read_rule(rule);
    free(text);
    root = getenv("STORE_ROOT");
}

static void append(const struct record *record, const void *bytes) {
    struct iovec parts[] = {{(void *)record, sizeof *record}, {(void *)bytes, record->length}};
    ssize_t length = (ssize_t)(sizeof *record + record->length);
    if (REAL(writev)(log_fd, parts, 2) != length) give_up("cannot write the log");
    log_end += (uint64_t)length;
}

/* Counts a call and returns the rule that applies to it. */
static struct rule decide(const char *name, const char *operation) {
    struct rule verdict = {NOTHING};
    int saved = errno;
    pthread_mutex_lock(&mutex);
    if (!is_armed) is_armed = !arm || faccessat(AT_FDCWD, arm, F_OK, 0) == 0;
    for (int index = 0; is_armed && index < rule_count; index++) {
        struct rule *rule = &rules[index];
        if (strcmp(rule->operation, operation) || fnmatch(rule->glob, name, 0)) continue;
        rule->count++;
        if (rule->count == rule->from || (rule->and_on && rule->count > rule->from)) verdict = *rule;
    }
    pthread_mutex_unlock(&mutex);
    errno = saved;
    return verdict;
}

/* Kills the process if the verdict is this action. */
static void end_if(const struct rule *verdict, enum action action) {
    if (verdict->action != action) return;
    usleep((unsigned)verdict->detail * 1000);
    for (;;) kill(getpid(), SIGKILL);
}

static const char *last_part(const char *path) { return strrchr(path, '/') ? strrchr(path, '/') + 1 : path; }

/* Whether a path lies below the root; SQLite's shared memory is ignored. */
static int is_below(const char *path) {
    size_t length = root ? strlen(root) : 0, whole = strlen(path);
    if (!root || strncmp(path, root, length) || (path[length] && path[length] != '/')) return 0;
    return whole < 4 || strcmp(path + whole - 4, "-shm");
}

static struct descriptor *find(int fd) {
    return root && fd >= 0 && fd < DESCRIPTORS_MAX && descriptors[fd].is_ours ? &descriptors[fd] : NULL;
}

/* The inode of the folder that holds a path; 0 if there is none. */
static uint64_t folder_of(const char *path) {
    char folder[PATH_MAX];
    struct stat found;
    snprintf(folder, sizeof folder, "%.*s", (int)(last_part(path) - path), path);
    return stat(folder, &found) == 0 ? found.st_ino : 0;
}

/* Keeps a file that is about to lose its name. Returns its number in STORE_SIDE, 0 if there is no file. */
static uint64_t keep(const char *path) {
    char to[PATH_MAX];
    snprintf(to, sizeof to, "%s/%llu", side, (unsigned long long)(kept + 1));
    if (linkat(AT_FDCWD, path, AT_FDCWD, to, 0) != 0) return 0;
    return ++kept;
}

static void record_name(enum kind kind, const char *path, const char *new_path, uint64_t kept_as) {
    char paths[2 * PATH_MAX];
    int length = snprintf(paths, sizeof paths, "%s%c%s", path, 0, new_path ? new_path : "");
    if (!new_path) length--;
    struct record record = {kind, (uint32_t)length, folder_of(new_path ? new_path : path), kept_as, 0};
    append(&record, paths);
}

/* Records the bytes from `offset` to `end`, which are about to change. */
static void record_bytes(enum kind kind, int fd, uint64_t offset, uint64_t end) {
    struct stat found;
    if (fstat(fd, &found) != 0) give_up("fstat");
    uint64_t size = (uint64_t)found.st_size, length = 0;
    char *bytes = NULL;
    if (end > size) end = size;
    if (offset < end) {
        /* The descriptor may be write-only. */
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int readable = REAL(open)(path, O_RDONLY | O_CLOEXEC);
        length = end - offset;
        bytes = malloc(length);
        if (!bytes || readable < 0 || pread(readable, bytes, length, (off_t)offset) != (ssize_t)length) give_up(path);
        REAL(close)(readable);
    }
    struct record record = {kind, (uint32_t)length, found.st_ino, offset, size};
    append(&record, bytes);
    free(bytes);
}

/* Applies the rules to a write on a tracked descriptor, records it, and does it. */
#define CHANGE(result, fd, ours, record, whole, half)                          \
    do {                                                                       \
        struct rule verdict = decide((ours)->name, "write");                   \
        end_if(&verdict, KILL_BEFORE);                                         \
        if (verdict.action == FAIL) return errno = verdict.detail, -1;         \
        pthread_mutex_lock(&mutex);                                            \
        record;                                                                \
        (result) = verdict.action == KILL_WITHIN ? (half) : (whole);           \
        int saved = errno;                                                     \
        pthread_mutex_unlock(&mutex);                                          \
        end_if(&verdict, KILL_WITHIN);                                         \
        end_if(&verdict, KILL_AFTER);                                          \
        errno = saved;                                                         \
    } while (0)

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    struct descriptor *ours = find(fd);
    if (!ours) return REAL(pwrite64)(fd, bytes, length, offset);
    ssize_t result;
    CHANGE(result, fd, ours, record_bytes(WRITE, fd, (uint64_t)offset, (uint64_t)offset + length),
           REAL(pwrite64)(fd, bytes, length, offset), REAL(pwrite64)(fd, bytes, length / 2, offset));
    return result;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }
/* Where the next write() goes. */
static uint64_t position(int fd) {
    off_t at = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    return at < 0 ? 0 : (uint64_t)at;
}

/* Writes to standard output or error, then applies rules on the text. */
static ssize_t say(int fd, const void *bytes, size_t length) {
    ssize_t result = REAL(write)(fd, bytes, length);
    char text[LINE_BYTES_MAX];
    snprintf(text, sizeof text, "%.*s", (int)length, (const char *)bytes);
    struct rule verdict = decide(text, "say");
    for (int action = KILL_BEFORE; action <= KILL_AFTER; action++) end_if(&verdict, (enum action)action);
    return result;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    struct descriptor *ours = find(fd);
    if (!ours) return root && (fd == 1 || fd == 2) ? say(fd, bytes, length) : REAL(write)(fd, bytes, length);
    ssize_t result;
    CHANGE(result, fd, ours, record_bytes(WRITE, fd, position(fd), position(fd) + length),
           REAL(write)(fd, bytes, length), REAL(write)(fd, bytes, length / 2));
    return result;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (!find(fd)) return REAL(writev)(fd, parts, count);
    /* Callers handle short writes. */
    for (int index = 0; index < count; index++)
        if (parts[index].iov_len > 0) return write(fd, parts[index].iov_base, parts[index].iov_len);
    return 0;
}

int ftruncate64(int fd, off64_t length) {
    struct descriptor *ours = find(fd);
    if (!ours) return REAL(ftruncate64)(fd, length);
    int result;
    CHANGE(result, fd, ours, record_bytes(CUT, fd, (uint64_t)length, UINT64_MAX),
           REAL(ftruncate64)(fd, length), REAL(ftruncate64)(fd, length));
    return result;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int synced(int fd, int (*sync)(int)) {
    struct descriptor *ours = find(fd);
    if (!ours) return sync(fd);
    struct rule verdict = decide(ours->name, "sync");
    pthread_mutex_lock(&mutex);
    struct record record = {SYNC, 0, ours->inode, log_end, 0};
    pthread_mutex_unlock(&mutex);
    end_if(&verdict, KILL_BEFORE);
    end_if(&verdict, KILL_WITHIN);
    if (verdict.action == SKIP) return 0;
    int result = verdict.action == FAIL ? -1 : sync(fd), saved = verdict.action == FAIL ? verdict.detail : errno;
    record.kind = result == 0 ? SYNC : LOST;
    pthread_mutex_lock(&mutex);
    append(&record, NULL);
    pthread_mutex_unlock(&mutex);
    end_if(&verdict, KILL_AFTER);
    errno = saved;
    return result;
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }

int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

/* Applies the rules to a change of names, records it, and does it. */
#define RENAMED(result, name, record, call)                            \
    do {                                                               \
        struct rule verdict = decide(last_part(name), "name");         \
        end_if(&verdict, KILL_BEFORE);                                 \
        end_if(&verdict, KILL_WITHIN);                                 \
        if (verdict.action == FAIL) return errno = verdict.detail, -1; \
        pthread_mutex_lock(&mutex);                                    \
        record;                                                        \
        (result) = (call);                                             \
        int saved = errno;                                             \
        pthread_mutex_unlock(&mutex);                                  \
        end_if(&verdict, KILL_AFTER);                                  \
        errno = saved;                                                 \
    } while (0)

typedef int open_function(const char *, int, ...);

static int opened(open_function *call, const char *path, int flags, mode_t mode) {
    struct stat found;
    int fd;
    if (!is_below(path)) return call(path, flags, mode);
    int is_new = stat(path, &found) != 0;
    if (is_new && flags & O_CREAT)
        RENAMED(fd, path, record_name(CREATE, path, NULL, 0), call(path, flags, mode));
    else if (!is_new && flags & O_TRUNC && found.st_size > 0) {
        /* Opens the file first and truncates it by its descriptor. */
        fd = call(path, flags & ~O_TRUNC, mode);
        pthread_mutex_lock(&mutex);
        if (fd >= 0) record_bytes(CUT, fd, 0, UINT64_MAX);
        if (fd >= 0 && REAL(ftruncate64)(fd, 0) != 0) give_up(path);
        pthread_mutex_unlock(&mutex);
    } else
        fd = call(path, flags, mode);
    if (fd >= 0 && fd < DESCRIPTORS_MAX && fstat(fd, &found) == 0) {
        struct descriptor *ours = &descriptors[fd];
        ours->inode = found.st_ino;
        snprintf(ours->name, sizeof ours->name, "%s", last_part(path));
        ours->is_ours = S_ISREG(found.st_mode) || S_ISDIR(found.st_mode);
    }
    return fd;
}

/* The third argument, if there is one. */
#define MODE(flags)                                                                         \
    ({                                                                                      \
        va_list rest;                                                                       \
        va_start(rest, flags);                                                              \
        mode_t mode = (flags) & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(rest, unsigned) : 0; \
        va_end(rest);                                                                       \
        mode;                                                                               \
    })

int open(const char *path, int flags, ...) { return opened(REAL(open), path, flags, MODE(flags)); }
int open64(const char *path, int flags, ...) { return opened(REAL(open64), path, flags, MODE(flags)); }

int close(int fd) {
    struct descriptor *ours = find(fd);
    if (ours) ours->is_ours = 0;
    return REAL(close)(fd);
}

int unlink(const char *path) {
    if (!is_below(path)) return REAL(unlink)(path);
    int result;
    RENAMED(result, path, record_name(UNLINK, path, NULL, keep(path)), REAL(unlink)(path));
    return result;
}

int rename(const char *from, const char *to) {
    if (!is_below(from) && !is_below(to)) return REAL(rename)(from, to);
    int result;
    RENAMED(result, to, record_name(RENAME, from, to, keep(to)), REAL(rename)(from, to));
    return result;
}

int mkdir(const char *path, mode_t mode) {
    struct stat found;
    if (!is_below(path) || stat(path, &found) == 0) return REAL(mkdir)(path, mode);
    int result;
    RENAMED(result, path, record_name(FOLDER, path, NULL, 0), REAL(mkdir)(path, mode));
    return result;
}
