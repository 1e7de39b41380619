#include "properties/source_lines.h"

#include <cxxabi.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace powercut::properties {
namespace {

constexpr std::size_t kMostLines = 3;
constexpr std::string_view kNoSourceLine = "(no source line: built without debug information)";

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

// The directory that holds properties/, with a slash; empty if the compiler was told to leave it out.
std::string_view source_root() {
  constexpr std::string_view kHere = "properties/source_lines.cpp";
  const std::string_view path = __FILE__;
  return path.ends_with(kHere) ? path.substr(0, path.size() - kHere.size()) : std::string_view();
}

std::string_view relative(std::string_view path) {
  const std::string_view root = source_root();
  return !root.empty() && path.starts_with(root) ? path.substr(root.size()) : path;
}

// As whoever runs this program would name it.
std::string from_here(const std::string& path) {
  std::error_code none;
  const std::string here = std::filesystem::current_path(none).string() + "/";
  return path.starts_with(here) ? path.substr(here.size()) : path;
}

bool is_engine(std::string_view file) {
  for (const std::string_view other : {"faultfs/", "properties/", "tests/", "tools/", "/usr/"}) {
    if (file.starts_with(other)) return false;
  }
  // Of powercut when it is installed, of the compiler's own headers, and of the sanitizers' functions that stand before those of
  // the system (GCC's and LLVM's), wherever they are.
  for (const std::string_view other : {"/faultfs/", "/c++/", "/libsanitizer/", "/compiler-rt/"}) {
    if (file.find(other) != std::string_view::npos) return false;
  }
  return true;
}

// "powercut::ledger::Log::flush(Lsn)::{lambda(int)#1}::operator()(int) const" is "Log::flush".
std::string short_name(std::string_view name) {
  std::string plain;
  int depth = 0;  // of <> and ()
  for (std::size_t at = 0; at < name.size(); ++at) {
    const std::string_view rest = name.substr(at);
    if (depth == 0 && plain.empty() && rest.starts_with("(anonymous namespace)::")) {
      at += std::string_view("(anonymous namespace)::").size() - 1;
      continue;
    }
    if (depth == 0 && rest.starts_with("::(anonymous namespace)")) {
      at += std::string_view("::(anonymous namespace)").size() - 1;
      continue;
    }
    const char c = name[at];
    if (depth == 0 && c == '(') break;
    if (c == '<' || c == '(') ++depth;
    if (depth == 0) plain += c;
    if (c == '>' || c == ')') --depth;
  }
  // A template's name comes after what it returns.
  if (const auto space = plain.rfind(' '); space != std::string::npos && plain.find("operator") == std::string::npos) {
    plain.erase(0, space + 1);
  }
  const auto last = plain.rfind("::");
  if (last == std::string::npos || last == 0) return plain;
  const auto before = plain.rfind("::", last - 1);
  if (before == std::string::npos) return plain;
  const std::string scope = plain.substr(before + 2, last - before - 2);
  // A class is written with a capital letter here; a namespace is left out.
  const bool is_class = !scope.empty() && scope.front() >= 'A' && scope.front() <= 'Z';
  return plain.substr(is_class ? before + 2 : last + 2);
}

std::string readable(const char* symbol) {
  if (symbol == nullptr) return {};
  int status = 0;
  const std::unique_ptr<char, Free> demangled(abi::__cxa_demangle(symbol, nullptr, nullptr, &status));
  return short_name(status == 0 ? demangled.get() : symbol);
}

std::string name_of(Dwarf_Die& function) {
  Dwarf_Attribute attribute;
  const char* name = dwarf_formstring(dwarf_attr_integrate(&function, DW_AT_linkage_name, &attribute));
  return readable(name != nullptr ? name : dwarf_diename(&function));
}

}  // namespace

// The debug information of this process's program and libraries.
class SourceLines::Debug {
 public:
  Debug() : session_(dwfl_begin(&callbacks())) {
    if (session_ == nullptr) return;
    dwfl_report_begin(session_);
    dwfl_linux_proc_report(session_, getpid());
    dwfl_report_end(session_, nullptr, nullptr);
  }
  ~Debug() { dwfl_end(session_); }
  Debug(const Debug&) = delete;
  Debug& operator=(const Debug&) = delete;

  // The calls at the address, inlined ones first.
  std::vector<SourceLine> at(const void* call) const {
    if (session_ == nullptr) return {};
    // A call's return address is that of the next instruction, which may belong to another line.
    const Dwarf_Addr address = reinterpret_cast<Dwarf_Addr>(call) - 1;
    Dwfl_Module* const module = dwfl_addrmodule(session_, address);
    if (module == nullptr) return {};
    Dwfl_Line* const found = dwfl_module_getsrc(module, address);
    if (found == nullptr) return {};
    int line = 0;
    const char* const file = dwfl_lineinfo(found, nullptr, &line, nullptr, nullptr, nullptr);
    if (file == nullptr) return {};
    std::vector<SourceLine> lines{{std::string(relative(file)), static_cast<std::uint32_t>(line), {}}};
    add_functions(module, address, lines);
    if (lines.back().function.empty()) lines.back().function = readable(dwfl_module_addrname(module, address));
    return lines;
  }

 private:
  static const Dwfl_Callbacks& callbacks() {
    static char* no_path = nullptr;
    static const Dwfl_Callbacks callbacks{dwfl_linux_proc_find_elf, dwfl_standard_find_debuginfo, nullptr, &no_path};
    return callbacks;
  }

  // From the innermost scope outwards: each inlined call names the function it is of, and the line where it was inlined.
  static void add_functions(Dwfl_Module* module, Dwarf_Addr address, std::vector<SourceLine>& lines) {
    Dwarf_Addr bias = 0;
    Dwarf_Die* const unit = dwfl_module_addrdie(module, address, &bias);
    if (unit == nullptr) return;
    Dwarf_Die* found = nullptr;
    const int depth = dwarf_getscopes(unit, address - bias, &found);
    const std::unique_ptr<Dwarf_Die, Free> innermost(found);
    if (depth <= 0) return;
    // What dwarf_getscopes gives around an inlined function is where that was defined; where it was inlined is asked for.
    found = nullptr;
    const int count = dwarf_getscopes_die(innermost.get(), &found);
    const std::unique_ptr<Dwarf_Die, Free> scopes(found);
    Dwarf_Files* files = nullptr;
    if (dwarf_getsrcfiles(unit, &files, nullptr) != 0) files = nullptr;
    for (int at = 0; at < count; ++at) {
      Dwarf_Die& scope = scopes.get()[at];
      const int tag = dwarf_tag(&scope);
      if (tag == DW_TAG_subprogram) {
        lines.back().function = name_of(scope);
        return;
      }
      if (tag != DW_TAG_inlined_subroutine) continue;
      lines.back().function = name_of(scope);
      Dwarf_Attribute attribute;
      Dwarf_Word file = 0;
      Dwarf_Word line = 0;
      dwarf_formudata(dwarf_attr(&scope, DW_AT_call_file, &attribute), &file);
      dwarf_formudata(dwarf_attr(&scope, DW_AT_call_line, &attribute), &line);
      const char* const path = files == nullptr ? nullptr : dwarf_filesrc(files, file, nullptr, nullptr);
      lines.push_back({path == nullptr ? std::string() : std::string(relative(path)), static_cast<std::uint32_t>(line), {}});
    }
  }

  Dwfl* session_;
};

SourceLines::SourceLines() = default;
SourceLines::~SourceLines() = default;

const std::vector<SourceLine>& SourceLines::at(const void* call) {
  const auto known = known_.find(call);
  if (known != known_.end()) return known->second;
  if (debug_ == nullptr) debug_ = std::make_unique<Debug>();
  return known_[call] = debug_->at(call);
}

std::vector<SourceLine> SourceLines::of_engine(std::span<const void* const> calls) {
  std::vector<SourceLine> lines;
  for (const void* const call : calls) {
    for (const SourceLine& line : at(call)) {
      if (!is_engine(line.file)) {
        // What called the engine is no part of it.
        if (!lines.empty() && line.file.starts_with("properties/")) return lines;
        continue;
      }
      lines.push_back({from_here(line.file), line.line, line.function});
      if (lines.size() == kMostLines) return lines;
    }
  }
  return lines;
}

std::string SourceLines::text(std::span<const void* const> calls) {
  std::string text;
  for (const SourceLine& line : of_engine(calls)) {
    const std::string file = text.empty() ? line.file : line.file.substr(line.file.rfind('/') + 1);
    text += (text.empty() ? "" : " <- ") + file + ":" + std::to_string(line.line) + " " + line.function;
  }
  return text.empty() ? std::string(kNoSourceLine) : text;
}

}  // namespace powercut::properties
