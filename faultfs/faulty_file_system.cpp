#include "faultfs/faulty_file_system.h"

#include <algorithm>

namespace powercut::faultfs {
namespace {

constexpr std::uint64_t kSector = 512;
constexpr std::uint64_t kAstray = 4096;  // how far a misdirected write lands from its place

Error failed(ErrorCode code, std::string_view path, std::string_view what) {
  return {code, std::string(path.empty() ? "/" : path) + ": " + std::string(what)};
}

}  // namespace

class FaultyFile final : public File {
 public:
  FaultyFile(FaultyFileSystem& owner, std::unique_ptr<File> inner, InodeId inode, std::string path)
      : owner_(owner), inner_(std::move(inner)), inode_(inode), path_(std::move(path)) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<byte> into) override {
    if (owner_.hits(FaultKind::kReadError)) return failed(ErrorCode::kIo, path_, "read: input/output error (injected)");
    if (owner_.hits(FaultKind::kShortRead) && into.size() > 1) into = into.first((into.size() + 1) / 2);
    POWERCUT_TRY(const std::size_t got, inner_->read(offset, into));
    if (got == 0) return got;
    for (const FaultKind kind : {FaultKind::kSectorError, FaultKind::kBitRot}) {
      // Somewhere in the middle of what was read: the place of the hit is the operation, the byte is fixed.
      if (owner_.hits(kind)) owner_.bad_[{inode_, (offset + got / 2) / kSector}] = kind;
    }
    if (owner_.bad_.empty()) return got;
    for (std::uint64_t sector = offset / kSector; sector * kSector < offset + got; ++sector) {
      const auto found = owner_.bad_.find({inode_, sector});
      if (found == owner_.bad_.end()) continue;
      if (found->second == FaultKind::kSectorError) return failed(ErrorCode::kIo, path_, "read: unreadable sector (injected)");
      const std::uint64_t rotten = sector * kSector + mix64(sector + inode_) % kSector;
      if (rotten >= offset && rotten < offset + got) into[rotten - offset] ^= static_cast<byte>(1U << (sector % 8));
    }
    return got;
  }

  Result<std::size_t> write(std::uint64_t offset, std::span<const byte> from) override { return write_many(offset, {&from, 1}); }

  Result<std::size_t> write_many(std::uint64_t offset, std::span<const std::span<const byte>> buffers) override {
    std::uint64_t total = 0;
    for (const auto& buffer : buffers) total += buffer.size();
    if (total == 0) return inner_->write_many(offset, buffers);
    const auto part = [&](std::uint64_t bytes) -> Result<std::size_t> {
      std::vector<std::span<const byte>> some;
      for (const auto& buffer : buffers) {
        const auto now = std::min<std::uint64_t>(bytes, buffer.size());
        some.push_back(buffer.first(static_cast<std::size_t>(now)));
        bytes -= now;
      }
      return inner_->write_many(offset, some);
    };
    if (owner_.hits(FaultKind::kWriteError)) {
      POWERCUT_TRYV(part(total / 2));
      return failed(ErrorCode::kIo, path_, "write: input/output error (injected)");
    }
    if (owner_.is_full()) {
      POWERCUT_TRYV(part(total / 2));
      return failed(ErrorCode::kNoSpace, path_, "write: no space left on device (injected)");
    }
    if (owner_.hits(FaultKind::kShortWrite) && total > 1) return part((total + 1) / 2);
    const bool lost = owner_.hits(FaultKind::kLostWrite);
    const bool astray = owner_.hits(FaultKind::kMisdirectedWrite);
    POWERCUT_TRY(const std::size_t taken, inner_->write_many(offset, buffers));
    for (std::uint64_t sector = offset / kSector; !owner_.bad_.empty() && sector * kSector < offset + taken; ++sector) {
      owner_.bad_.erase({inode_, sector});
    }
    if (lost || astray) owner_.disk_.forget(inode_, offset, taken);
    if (astray) {
      std::vector<byte> bytes;
      for (const auto& buffer : buffers) bytes.insert(bytes.end(), buffer.begin(), buffer.end());
      owner_.disk_.overwrite_below(inode_, offset >= kAstray ? offset - kAstray : offset + kAstray, bytes);
    }
    return taken;
  }

  Result<void> sync(SyncKind kind) override {
    if (fails_next_) {
      fails_next_ = false;
      return failed(ErrorCode::kIo, path_, "sync: input/output error of the sync before (injected)");
    }
    if (owner_.hits(FaultKind::kFailedSync)) {
      owner_.disk_.fail_sync(inode_);
      fails_next_ = owner_.disk_.model().failed_sync_reported_next;
      if (fails_next_) return success();
      return failed(ErrorCode::kIo, path_, "sync: input/output error (injected)");
    }
    if (owner_.hits(FaultKind::kLyingSync)) return success();
    return inner_->sync(kind);
  }

  Result<void> resize(std::uint64_t bytes) override {
    POWERCUT_TRY(const std::uint64_t before, inner_->size());
    if (bytes > before && owner_.is_full()) return failed(ErrorCode::kNoSpace, path_, "resize: no space left on device (injected)");
    return inner_->resize(bytes);
  }

  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override {
    if (owner_.is_full()) return failed(ErrorCode::kNoSpace, path_, "allocate: no space left on device (injected)");
    return inner_->allocate(offset, bytes);
  }

  Result<std::uint64_t> size() override { return inner_->size(); }
  std::size_t preferred_read_bytes() const override { return inner_->preferred_read_bytes(); }

 private:
  FaultyFileSystem& owner_;
  std::unique_ptr<File> inner_;
  InodeId inode_;
  std::string path_;
  bool fails_next_ = false;
};

FaultyFileSystem::FaultyFileSystem(SimFileSystem& inner, SimDisk& disk, std::span<const Fault> faults, bool in_recovery)
    : inner_(inner), disk_(disk) {
  std::copy_if(faults.begin(), faults.end(), std::back_inserter(faults_),
               [&](const Fault& fault) { return fault.in_recovery == in_recovery; });
}

bool FaultyFileSystem::hits(FaultKind kind) {
  const std::uint32_t number = seen_[static_cast<std::size_t>(kind)]++;
  if (healed_) return false;
  const bool hit = std::any_of(faults_.begin(), faults_.end(), [&](const Fault& fault) {
    return fault.kind == kind && number >= fault.at && number - fault.at < fault.count;
  });
  fired_ = fired_ || hit;
  return hit;
}

// A disk that is full stays so until steps have ended, whatever is tried.
bool FaultyFileSystem::is_full() {
  const std::uint32_t number = seen_[static_cast<std::size_t>(FaultKind::kFullDisk)]++;
  if (healed_) return false;
  for (const Fault& fault : faults_) {
    if (fault.kind != FaultKind::kFullDisk || number != fault.at) continue;
    full_for_ = fault.count;
    fired_ = true;
  }
  return full_for_ > 0;
}

void FaultyFileSystem::step_ended() {
  if (full_for_ > 0) --full_for_;
}

void FaultyFileSystem::heal() {
  healed_ = true;
  full_for_ = 0;
}

bool FaultyFileSystem::active() const {
  if (healed_) return false;
  if (full_for_ > 0) return true;
  return std::any_of(faults_.begin(), faults_.end(), [&](const Fault& fault) {
    const std::uint64_t seen = seen_[static_cast<std::size_t>(fault.kind)];
    return seen <= fault.at || (fault.kind != FaultKind::kFullDisk && seen - fault.at < fault.count);
  });
}

Result<std::unique_ptr<File>> FaultyFileSystem::open(std::string_view path, OpenMode mode) {
  if (mode == OpenMode::kCreate || mode == OpenMode::kCreateNew) {
    POWERCUT_TRY(const bool there, inner_.exists(path));
    if (!there && is_full()) return failed(ErrorCode::kNoSpace, path, "create: no space left on device (injected)");
  }
  POWERCUT_TRY(auto file, inner_.open(path, mode));
  POWERCUT_TRY(const InodeId inode, inner_.inode_of(path));
  return std::make_unique<FaultyFile>(*this, std::move(file), inode, std::string(path));
}

Result<void> FaultyFileSystem::make_directory(std::string_view path) {
  if (is_full()) return failed(ErrorCode::kNoSpace, path, "make directory: no space left on device (injected)");
  return inner_.make_directory(path);
}

Result<void> FaultyFileSystem::sync_directory(std::string_view path) {
  if (hits(FaultKind::kFailedSync)) return failed(ErrorCode::kIo, path, "sync: input/output error (injected)");
  if (hits(FaultKind::kLyingSync)) return success();
  return inner_.sync_directory(path);
}

Result<void> FaultyFileSystem::rename(std::string_view from, std::string_view to) { return inner_.rename(from, to); }
Result<void> FaultyFileSystem::remove(std::string_view path) { return inner_.remove(path); }
Result<bool> FaultyFileSystem::exists(std::string_view path) { return inner_.exists(path); }
Result<void> FaultyFileSystem::remove_directory(std::string_view path) { return inner_.remove_directory(path); }
Result<std::vector<DirectoryEntry>> FaultyFileSystem::list(std::string_view path) { return inner_.list(path); }

}  // namespace powercut::faultfs
