#include "engine/lmdb/lmdb_redirect.h"

#include "engine/lmdb/lmdb_process.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <lmdb.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace powercut::engine {
namespace {

LmdbProcess* process() { return LmdbProcess::running(); }

std::span<std::byte> bytes_at(void* at, std::size_t count) { return {static_cast<std::byte*>(at), count}; }
std::span<const std::byte> bytes_at(const void* at, std::size_t count) { return {static_cast<const std::byte*>(at), count}; }

int open_caught(const char* path, int flags, mode_t mode) {
  return process() != nullptr ? process()->open(flags) : ::open(path, flags, mode);
}
int close_caught(int descriptor) { return process() != nullptr ? process()->close(descriptor) : ::close(descriptor); }
ssize_t pread_caught(int descriptor, void* into, std::size_t count, off_t offset) {
  if (process() == nullptr) return ::pread(descriptor, into, count, offset);
  return process()->read(static_cast<std::uint64_t>(offset), bytes_at(into, count));
}
ssize_t pwrite_caught(int descriptor, const void* from, std::size_t count, off_t offset) {
  if (process() == nullptr) return ::pwrite(descriptor, from, count, offset);
  return process()->write(descriptor, static_cast<std::uint64_t>(offset), bytes_at(from, count));
}
ssize_t writev_caught(int descriptor, const iovec* buffers, int count) {
  return process() != nullptr ? process()->write_many(descriptor, buffers, count) : ::writev(descriptor, buffers, count);
}
off_t lseek_caught(int descriptor, off_t offset, int from) {
  return process() != nullptr ? process()->seek(offset) : ::lseek(descriptor, offset, from);
}
int fdatasync_caught(int descriptor) {
  return process() != nullptr ? process()->sync(faultfs::SyncKind::kData) : ::fdatasync(descriptor);
}
int fsync_caught(int descriptor) { return process() != nullptr ? process()->sync(faultfs::SyncKind::kFull) : ::fsync(descriptor); }
int ftruncate_caught(int descriptor, off_t bytes) {
  return process() != nullptr ? process()->resize(static_cast<std::uint64_t>(bytes)) : ::ftruncate(descriptor, bytes);
}
int fstat_caught(int descriptor, struct stat* status) {
  if (process() == nullptr) return ::fstat(descriptor, status);
  *status = {};
  status->st_size = process()->size();
  return status->st_size < 0 ? -1 : 0;
}
int fxstat_caught(int /*version*/, int descriptor, struct stat* status) { return fstat_caught(descriptor, status); }
// Asked whether it is an ext3 or ext4 of before Linux 3.6, where fdatasync is broken: it is not.
int fstatfs_caught(int descriptor, struct statfs* status) {
  if (process() == nullptr) return ::fstatfs(descriptor, status);
  *status = {};
  return 0;
}
void* mmap_caught(void* address, std::size_t bytes, int protection, int flags, int descriptor, off_t offset) {
  if (process() == nullptr) return ::mmap(address, bytes, protection, flags, descriptor, offset);
  return process()->map(bytes, (protection & PROT_WRITE) != 0);
}
int munmap_caught(void* address, std::size_t bytes) { return process() != nullptr ? process()->unmap() : ::munmap(address, bytes); }
int msync_caught(void* address, std::size_t bytes, int flags) {
  return process() != nullptr ? process()->sync_map(address, bytes, (flags & MS_SYNC) != 0) : ::msync(address, bytes, flags);
}
void* malloc_caught(std::size_t bytes) { return process() != nullptr ? process()->memory().take(bytes) : std::malloc(bytes); }
void* calloc_caught(std::size_t count, std::size_t bytes) {
  return process() != nullptr ? process()->memory().take(count * bytes) : std::calloc(count, bytes);
}
void* realloc_caught(void* taken, std::size_t bytes) {
  return process() != nullptr ? process()->memory().resize(taken, bytes) : std::realloc(taken, bytes);
}
void free_caught(void* taken) { process() != nullptr ? process()->memory().give_back(taken) : std::free(taken); }
char* strdup_caught(const char* text) {
  if (process() == nullptr) return ::strdup(text);
  const std::size_t bytes = std::strlen(text) + 1;
  void* const copy = process()->memory().take(bytes);
  return copy == nullptr ? nullptr : static_cast<char*>(std::memcpy(copy, text, bytes));
}
// Also for memcpy: damage can make its two ranges overlap, which is then no mistake of this program.
void* memmove_caught(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return to;
  if (process() != nullptr) process()->check_copy(to, from, bytes);
  return std::memmove(to, from, bytes);
}
void abort_caught() {
  if (process() != nullptr) process()->assertion_failed("abort()");
  std::abort();
}

struct Caught {
  std::string_view name;
  void* by;
};

template <class Function>
void* address_of(Function* function) {
  return reinterpret_cast<void*>(function);
}

const std::array kCaught{
    Caught{"open", address_of(open_caught)},           Caught{"open64", address_of(open_caught)},
    Caught{"close", address_of(close_caught)},         Caught{"pread", address_of(pread_caught)},
    Caught{"pread64", address_of(pread_caught)},       Caught{"pwrite", address_of(pwrite_caught)},
    Caught{"pwrite64", address_of(pwrite_caught)},     Caught{"writev", address_of(writev_caught)},
    Caught{"lseek", address_of(lseek_caught)},         Caught{"lseek64", address_of(lseek_caught)},
    Caught{"fsync", address_of(fsync_caught)},         Caught{"fdatasync", address_of(fdatasync_caught)},
    Caught{"fstat", address_of(fstat_caught)},         Caught{"fstat64", address_of(fstat_caught)},
    Caught{"__fxstat", address_of(fxstat_caught)},     Caught{"__fxstat64", address_of(fxstat_caught)},
    Caught{"mmap", address_of(mmap_caught)},           Caught{"mmap64", address_of(mmap_caught)},
    Caught{"munmap", address_of(munmap_caught)},       Caught{"msync", address_of(msync_caught)},
    Caught{"malloc", address_of(malloc_caught)},       Caught{"calloc", address_of(calloc_caught)},
    Caught{"free", address_of(free_caught)},           Caught{"realloc", address_of(realloc_caught)},
    Caught{"strdup", address_of(strdup_caught)},       Caught{"__strdup", address_of(strdup_caught)},
    Caught{"abort", address_of(abort_caught)},         Caught{"fstatfs", address_of(fstatfs_caught)},
    Caught{"ftruncate", address_of(ftruncate_caught)}, Caught{"ftruncate64", address_of(ftruncate_caught)},
    Caught{"fstatfs64", address_of(fstatfs_caught)},   Caught{"memmove", address_of(memmove_caught)},
    Caught{"memcpy", address_of(memmove_caught)},
};

// What neither reads nor writes files; and what only mdb_env_copy (write, fcntl, posix_memalign, threads), lock files (fcntl,
// mutexes, keys) or a lie about the file system (uname) would lead to.
constexpr std::array<std::string_view, 42> kHarmless{"__cxa_finalize",
                                                     "__gmon_start__",
                                                     "_ITM_deregisterTMCloneTable",
                                                     "_ITM_registerTMCloneTable",
                                                     "__stack_chk_fail",
                                                     "__errno_location",
                                                     "__fprintf_chk",
                                                     "__sprintf_chk",
                                                     "stderr",
                                                     "memcmp",
                                                     "memset",
                                                     "__memcpy_chk",
                                                     "strcpy",
                                                     "strlen",
                                                     "strncmp",
                                                     "strtol",
                                                     "__isoc23_strtol",
                                                     "strerror",
                                                     "sysconf",
                                                     "getpid",
                                                     "uname",
                                                     "madvise",
                                                     "fcntl",
                                                     "fcntl64",
                                                     "write",
                                                     "posix_memalign",
                                                     "sigaddset",
                                                     "sigemptyset",
                                                     "sigwait",
                                                     "fprintf",
                                                     "sprintf",
                                                     "pthread_cond_destroy",
                                                     "pthread_cond_init",
                                                     "pthread_cond_signal",
                                                     "pthread_cond_wait",
                                                     "pthread_create",
                                                     "pthread_join",
                                                     "pthread_self",
                                                     "pthread_getspecific",
                                                     "pthread_setspecific",
                                                     "pthread_sigmask",
                                                     "__assert_fail"};

bool harmless(std::string_view name) {
  return name.starts_with("pthread_key_") || name.starts_with("pthread_mutex") ||
         std::find(kHarmless.begin(), kHarmless.end(), name) != kHarmless.end();
}

// A loaded shared library, as far as its relocations go.
struct Library {
  ElfW(Addr) base = 0;
  const ElfW(Phdr) * headers = nullptr;
  std::size_t header_count = 0;
};

Result<Library> find_lmdb() {
  Library library;
  Dl_info info{};
  void* const inside = dlsym(RTLD_DEFAULT, "mdb_env_open");
  if (inside == nullptr || dladdr(inside, &info) == 0) {
    return Error(ErrorCode::kUnsupported, "liblmdb is not loaded as a shared library, so its calls cannot be caught");
  }
  library.base = reinterpret_cast<ElfW(Addr)>(info.dli_fbase);
  dl_iterate_phdr(
      [](dl_phdr_info* loaded, std::size_t, void* into) {
        auto& wanted = *static_cast<Library*>(into);
        if (loaded->dlpi_addr != wanted.base) return 0;
        wanted.headers = loaded->dlpi_phdr;
        wanted.header_count = loaded->dlpi_phnum;
        return 1;
      },
      &library);
  if (library.headers == nullptr) return Error(ErrorCode::kUnsupported, "the program headers of liblmdb cannot be found");
  return library;
}

const ElfW(Phdr) * header(const Library& library, ElfW(Word) type) {
  const auto* const end = library.headers + library.header_count;
  const auto* const found = std::find_if(library.headers, end, [&](const auto& each) { return each.p_type == type; });
  return found == end ? nullptr : found;
}

struct Relocations {
  const ElfW(Rela) * first = nullptr;
  std::size_t bytes = 0;
};

struct Dynamic {
  const ElfW(Sym) * symbols = nullptr;
  const char* names = nullptr;
  Relocations calls;
  Relocations others;
};

Dynamic dynamic_of(const Library& library) {
  Dynamic dynamic;
  const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(library.base + header(library, PT_DYNAMIC)->p_vaddr);
  for (; entry->d_tag != DT_NULL; ++entry) {
    // glibc puts addresses there; others leave offsets.
    const ElfW(Addr) at = entry->d_un.d_ptr < library.base ? library.base + entry->d_un.d_ptr : entry->d_un.d_ptr;
    switch (entry->d_tag) {
      case DT_SYMTAB:
        dynamic.symbols = reinterpret_cast<const ElfW(Sym)*>(at);
        break;
      case DT_STRTAB:
        dynamic.names = reinterpret_cast<const char*>(at);
        break;
      case DT_JMPREL:
        dynamic.calls.first = reinterpret_cast<const ElfW(Rela)*>(at);
        break;
      case DT_PLTRELSZ:
        dynamic.calls.bytes = entry->d_un.d_val;
        break;
      case DT_RELA:
        dynamic.others.first = reinterpret_cast<const ElfW(Rela)*>(at);
        break;
      case DT_RELASZ:
        dynamic.others.bytes = entry->d_un.d_val;
        break;
      default:
        break;
    }
  }
  return dynamic;
}

// Calls visit(name, slot) for each symbol that the library takes from elsewhere.
template <class Visit>
void for_each_import(const Library& library, const Dynamic& dynamic, const Visit& visit) {
  for (const Relocations& relocations : {dynamic.calls, dynamic.others}) {
    for (std::size_t at = 0; at < relocations.bytes / sizeof(ElfW(Rela)); ++at) {
      const auto& relocation = relocations.first[at];
      const auto symbol = ELF64_R_SYM(relocation.r_info);
      if (symbol == 0 || dynamic.symbols[symbol].st_shndx != SHN_UNDEF) continue;
      visit(std::string_view(dynamic.names + dynamic.symbols[symbol].st_name),
            reinterpret_cast<void**>(library.base + relocation.r_offset));
    }
  }
}

Result<void> redirect() {
  if (sysconf(_SC_PAGESIZE) != static_cast<long>(LmdbPages::kPageBytes)) {
    return Error(ErrorCode::kUnsupported, "LMDB's mapping is simulated in pages of 4096 bytes, and this machine has others");
  }
  POWERCUT_TRY(const Library library, find_lmdb());
  const Dynamic dynamic = dynamic_of(library);
  std::string unknown;
  for_each_import(library, dynamic, [&](std::string_view name, void**) {
    const bool caught = std::any_of(kCaught.begin(), kCaught.end(), [&](const Caught& each) { return each.name == name; });
    if (!caught && !harmless(name)) unknown.append(" ").append(name);
  });
  if (!unknown.empty()) return Error(ErrorCode::kUnsupported, "this liblmdb calls what powercut does not know:" + unknown);

  // Slots that the loader has made read-only become writable for a moment.
  const auto* const sealed = header(library, PT_GNU_RELRO);
  ElfW(Addr) from = 0;
  std::size_t bytes = 0;
  if (sealed != nullptr) {
    from = (library.base + sealed->p_vaddr) & ~(LmdbPages::kPageBytes - 1);
    bytes = (library.base + sealed->p_vaddr + sealed->p_memsz - from) & ~(LmdbPages::kPageBytes - 1);
    if (mprotect(reinterpret_cast<void*>(from), bytes, PROT_READ | PROT_WRITE) != 0) {
      return Error(ErrorCode::kUnsupported, "the global offset table of liblmdb cannot be made writable");
    }
  }
  for_each_import(library, dynamic, [&](std::string_view name, void** slot) {
    const auto found = std::find_if(kCaught.begin(), kCaught.end(), [&](const Caught& each) { return each.name == name; });
    if (found != kCaught.end()) *slot = found->by;
  });
  if (sealed != nullptr) mprotect(reinterpret_cast<void*>(from), bytes, PROT_READ);
  return success();
}

}  // namespace

Result<void> redirect_lmdb() {
  static const Result<void> once = redirect();
  return once;
}

}  // namespace powercut::engine
