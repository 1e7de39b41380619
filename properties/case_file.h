// Case files: a failing case as JSON, complete, checked by a checksum, and the same on every machine.
//
//   format        "powercut case"
//   version       3; files of version 2 are read
//   engine        its name; options {name: value}; defects [name]
//   model         every knob by name
//   workload      its name; seed; nested
//   judged_by     "all" where it was held to more than its engine promises; absent where not
//   steps         [{kind, session, isolation, commit, count, operations: [{kind, table, a, b, amount}]}]
//   schedule      [number], the picks of who goes on; absent where every pick is 0
//   crash_point   a number, or null when it failed with the power on; picks [number]
//   violation     {oracle, summary, differences}
//   trace_hash    16 hexadecimal digits
//   checksum      CRC-32C of the document without this member, 8 hexadecimal digits
#pragma once

#include "engine/engine.h"
#include "properties/case.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace powercut::properties {

using EngineKinds = std::span<const std::unique_ptr<engine::EngineKind>>;

// kInvalidArgument with the names there are.
Result<const engine::EngineKind*> find_engine(EngineKinds engines, std::string_view name);

std::string to_json(const Case& failing);

// kCorrupt when it is not a whole case file, kUnsupported for another version, kInvalidArgument when it names something
// that does not exist here; each says what would be right.
Result<Case> case_from_json(std::string_view text, EngineKinds engines);
// The same with one engine.
Result<Case> case_from_json(std::string_view text, const engine::EngineKind& engine);

// Writes the file so that it is there whole or not at all. kIo, kNoSpace or kNotFound, naming the path.
Result<void> write_case_file(const std::string& path, const Case& failing);
Result<Case> read_case_file(const std::string& path, EngineKinds engines);
Result<Case> read_case_file(const std::string& path, const engine::EngineKind& engine);

// 16 hexadecimal digits.
std::string hash_text(std::uint64_t hash);

}  // namespace powercut::properties
