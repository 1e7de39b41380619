// The one interface through which an engine reaches storage.
//
// Plain and synchronous-looking: who blocks is the backend's business. The simulator completes at once, the POSIX
// backend in the calling thread. Decorators (tracing, and later faults and counters) implement the same interface over
// another FileSystem. Paths are relative to the root of the file system, separated by '/', without '.' or '..'.
//
// Errors: kNotFound, kAlreadyExists, kInvalidArgument, kIo and kNoSpace, each with the path in its context. After an
// error nothing is promised about what a write, resize or allocate has done in its own range.
#pragma once

#include "faultfs/bytes.h"
#include "faultfs/result.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::faultfs {

enum class OpenMode : unsigned char {
  kRead,       // the file must exist
  kReadWrite,  // the file must exist
  kCreate,     // made if it does not exist
  kCreateNew,  // kAlreadyExists if it exists
};

enum class SyncKind : unsigned char {
  kData,  // fdatasync: contents, and the size where it is needed to read them
  kFull,  // fsync
};

// Bytes that go to a place in a file.
struct WriteAt {
  std::uint64_t offset = 0;
  std::span<const byte> bytes;
};

// An open file. Closing (the destructor) writes nothing and promises nothing.
class File {
 public:
  virtual ~File() = default;

  // Reads at offset (bytes). Returns how many bytes it read; fewer than asked at the end of the file, 0 beyond it. A
  // backend may also return fewer for no reason: callers use read_full().
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) = 0;

  // Writes at offset, extending the file if need be; a gap reads as zeros. Returns how many bytes it took, possibly
  // fewer than given: callers use write_full().
  virtual Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) = 0;

  // Several buffers as one write, in order, at consecutive offsets. Returns the bytes taken, as write() does.
  virtual Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) = 0;

  // When it returns success, every write, resize and allocate on this file that completed before it is durable.
  virtual Result<void> sync(SyncKind kind) = 0;

  // Writes all of `from` at offset. When it returns success these bytes are durable, and the size where it is needed to read
  // them; about what was written before, by other calls, it promises nothing. After an error none of them may be relied upon:
  // they may be there, durable or not, or in part, and only writing them again helps, not a sync.
  //
  // A backend may do it in one request. This default is write_full(), then sync(kData); the simulator and the decorators keep
  // it, so that a crash can come between the two.
  virtual Result<void> write_durably(std::uint64_t offset, std::span<const byte> from);

  // Writes all of each, in any order; they do not overlap. A backend may have them under way together; this default writes
  // one after the other. After an error nothing is promised about any of them.
  virtual Result<void> write_each(std::span<const WriteAt> writes);

  // Sets the size (bytes): cuts off, or extends with zeros.
  virtual Result<void> resize(std::uint64_t bytes) = 0;

  // Reserves space for [offset, offset + bytes) and extends the size to cover it. New bytes read as zeros.
  virtual Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) = 0;

  virtual Result<std::uint64_t> size() = 0;

  // Says that these bytes will be read soon, in order: a backend may begin now. This default does nothing, as the simulator
  // and the decorators do: what is read there is what is asked for.
  virtual void will_read(std::uint64_t /*offset*/, std::uint64_t /*bytes*/) {}

  // How much to read at a time (bytes) when scanning: 256 KiB on a disk, one atom in the simulator, where every byte that
  // is read may be a question of what survived.
  virtual std::size_t preferred_read_bytes() const = 0;

  // Writes are fastest when they begin and end at multiples of it (bytes): the block of direct I/O; 1 where it is all the same.
  virtual std::size_t preferred_write_unit() const { return 1; }
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Whether an operation that a fiber asks for lets other fibers run before it returns. A decorator says what its base says:
  // who is told no would not guard itself against them.
  virtual bool lets_others_run() const = 0;

  virtual Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) = 0;
  // Replaces `to` if it exists and is a file.
  virtual Result<void> rename(std::string_view from, std::string_view to) = 0;
  virtual Result<void> remove(std::string_view path) = 0;
  virtual Result<bool> exists(std::string_view path) = 0;

  virtual Result<void> make_directory(std::string_view path) = 0;
  // The directory must be empty (kInvalidArgument otherwise).
  virtual Result<void> remove_directory(std::string_view path) = 0;
  // Sorted by name. "" is the root.
  virtual Result<std::vector<DirectoryEntry>> list(std::string_view path) = 0;
  // Makes the names in the directory durable: entries made, removed or renamed before it.
  virtual Result<void> sync_directory(std::string_view path) = 0;
};

// Reads until `into` is full or the file ends; returns the bytes read.
Result<std::size_t> read_full(File& file, std::uint64_t offset, std::span<byte> into);

// Writes all of `from`, or returns an error (kIo when the backend takes nothing).
Result<void> write_full(File& file, std::uint64_t offset, std::span<const byte> from);

// The directory that holds path ("" for the root), and the last component.
std::string_view parent_of(std::string_view path);
std::string_view name_of(std::string_view path);

}  // namespace powercut::faultfs
