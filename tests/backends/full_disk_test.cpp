// A file system that is really full: a small ext4 in a file, and a small tmpfs. Where mounting is not permitted, a message.
#include "engine/row.h"
#include "faultfs/host_backend.h"
#include "properties/workload.h"
#include "recovery/ledger_engine.h"
#include "tests/backends/real_places.h"

#include <sys/mount.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>

namespace powercut::testing {
namespace {

using Rows = std::map<std::string, std::string>;

constexpr std::uint64_t kBallast = std::uint64_t{1} << 20U;  // bytes that are given back in the end

// A small file system on a directory of its own.
class SmallFileSystem {
 public:
  enum class Kind : unsigned char { kExt4, kTmpfs };
  explicit SmallFileSystem(Kind kind) : image_(POWERCUT_BUILD_DIRECTORY), mounted_(POWERCUT_BUILD_DIRECTORY) {
    if (kind == Kind::kTmpfs) {
      is_mounted_ = mount("tmpfs", path().c_str(), "tmpfs", 0, "size=3m") == 0;
    } else {
      const std::string file = image_.path() + "/image";
      const std::string command =
          "truncate -s 8M " + file + " && mkfs.ext4 -q -m 0 " + file + " && mount -o loop " + file + " " + path();
      is_mounted_ = std::system((command + " >/dev/null 2>&1").c_str()) == 0;
    }
    if (!is_mounted_)
      WARN("not tested on a full " << (kind == Kind::kTmpfs ? "tmpfs" : "ext4") << ": mounting one is not permitted");
  }
  SmallFileSystem(const SmallFileSystem&) = delete;
  SmallFileSystem& operator=(const SmallFileSystem&) = delete;
  // The kernel closes files late when a thread of its own has used them.
  ~SmallFileSystem() {
    if (is_mounted_) umount2(path().c_str(), MNT_DETACH);
  }

  bool is_mounted() const { return is_mounted_; }
  const std::string& path() const { return mounted_.path(); }

 private:
  TemporaryDirectory image_;
  TemporaryDirectory mounted_;
  bool is_mounted_ = false;
};

std::string key_of(std::uint32_t number) {
  std::string key;
  properties::Workload::key(number, key);
  return key;
}

std::string row_of(std::uint32_t number) {
  std::string row;
  const std::string text(700, static_cast<char>('a' + number % 26));
  engine::encode_row({std::string_view(text)}, row);
  return row;
}

Rows rows_of(engine::Session& session) {
  Rows rows;
  const auto scanned = session.scan("t", {}, {}, [&](std::string_view key, std::string_view row) {
    rows.emplace(key, row);
    return true;
  });
  REQUIRE(scanned.has_value());
  return rows;
}

// Transactions of a few rows each, until `wanted` rows are there or the disk is full; what fails is rolled back.
std::optional<ErrorCode> load(engine::Session& session, Rows& committed, std::size_t wanted) {
  while (committed.size() < wanted) {
    Rows after = committed;
    const auto transaction = [&]() -> Result<void> {
      POWERCUT_TRYV(session.begin());
      for (int row = 0; row < 5; ++row) {
        const auto number = static_cast<std::uint32_t>(after.size());
        POWERCUT_TRYV(session.insert("t", key_of(number), row_of(number)));
        after.emplace(key_of(number), row_of(number));
      }
      return session.commit();
    };
    const auto done = transaction();
    if (done.has_error()) {
      const auto undone = session.rollback();
      INFO(done.error().message());
      REQUIRE(undone.has_value());
      return done.error().code();
    }
    committed = std::move(after);
  }
  return std::nullopt;
}

void fill(faultfs::HostBackend backend, const std::string& directory) {
  const auto kind = recovery::make_ledger_kind();
  const auto engine = std::move(kind->make(std::vector<engine::Option>{{"frames", "16"}, {"segment", "65536"}}, {})).value();
  Rows committed;
  {
    const auto files = std::move(faultfs::open_host_backend(backend, directory)).value();
    REQUIRE(std::move(files->open("ballast", faultfs::OpenMode::kCreateNew)).value()->allocate(0, kBallast).has_value());
    const auto database = std::move(engine->open(*files, "db")).value();
    const auto session = std::move(database->new_session()).value();
    REQUIRE(session->create_table({"t", {{"text", engine::ColumnType::kText}}}).has_value());
    CHECK(load(*session, committed, 100'000) == ErrorCode::kNoSpace);
    CHECK(committed.size() > 100);
    CHECK(rows_of(*session) == committed);
    // Full it stays, and goes on answering.
    CHECK(load(*session, committed, 100'000) == ErrorCode::kNoSpace);
    CHECK(rows_of(*session) == committed);
    REQUIRE(files->remove("ballast").has_value());
    CHECK(load(*session, committed, committed.size() + 100) == std::nullopt);
    CHECK(rows_of(*session) == committed);
    // Not closed: the process has died.
  }
  const auto files = std::move(faultfs::open_host_backend(backend, directory)).value();
  const auto database = std::move(engine->open(*files, "db")).value();
  CHECK(rows_of(*std::move(database->new_session()).value()) == committed);
}

}  // namespace

TEST_CASE("a file system that is really full fails statements, and the engine goes on when there is space") {
  using Backend = faultfs::HostBackend;
  for (const auto kind : {SmallFileSystem::Kind::kExt4, SmallFileSystem::Kind::kTmpfs}) {
    for (const Backend backend : {Backend::kPosix, Backend::kUring, Backend::kUringDirect}) {
      const auto possible = faultfs::open_host_backend(backend, "/");
      if (possible.has_error()) continue;
      CAPTURE(to_string(backend), kind == SmallFileSystem::Kind::kExt4);
      const SmallFileSystem small(kind);
      if (small.is_mounted()) fill(backend, small.path());
    }
  }
}

}  // namespace powercut::testing
